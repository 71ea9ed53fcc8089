"""Trains the model on a token file. A run may be cut at any second: the last checkpoint is whole, and resuming
continues with the same batches, bit for bit on the same machine.

Schedule: warm-up, constant rate, then a linear decay to zero over the last `--decay` steps. While the rate is constant
a run can be lengthened at will (resume with more `--steps`), so a trunk can be trained over several sittings and
finished whenever a model is wanted. Sequences are short first: SHORT tokens while the rate is constant, then LONG and,
at the very end, the whole context.
"""

import argparse
import csv
import json
import os
import pathlib
import signal
import sys
import time

import numpy as np
import torch

from recipe import evaluate
from recipe import model as models
from recipe.export import load_pieces, read_model, vocabulary_size
from recipe.muon import Optimiser
from recipe.tokens import BOS, vocabulary_hash

SHORT, LONG = 256, 1024
CONTEXT_SHARE = 0.15  # of the decay has sequences of the whole context, at its end
WARM_UP = 100


class TrainingError(Exception):
    """What went wrong, and what to do about it."""


class Tokens:
    """A token file and the order in which training reads it."""

    def __init__(self, path, pieces_path, seed):
        note_path = path.with_suffix(".json")
        if not path.exists() or not note_path.exists():
            raise TrainingError(f"{path}: no token file; run recipe.tokens first")
        self.note = json.loads(note_path.read_text())
        if self.note["vocabulary"] != vocabulary_hash(pieces_path):
            raise TrainingError(f"{path}: made with another vocabulary than {pieces_path}; run recipe.tokens again")
        self.ids = np.memmap(path, dtype="<u2", mode="r")
        self.seed = seed
        self.bytes_per_token = self.note["bytes"] / self.note["tokens"]
        self.orders = {}

    def batch(self, consumed, batch_tokens, time):
        """Inputs and targets [batch, time]. Each epoch visits every slice of `time` tokens once, in an order drawn from
        the seed; each sequence starts with BOS, as every strip of an archive does."""
        slices = len(self.ids) // time
        first = consumed // time
        rows = []
        for i in range(first, first + batch_tokens // time):
            epoch, at = divmod(i, slices)
            start = int(self.order(epoch, time, slices)[at]) * time
            rows.append(self.ids[start : start + time].astype(np.int64))
        targets = torch.from_numpy(np.stack(rows))
        inputs = targets.roll(1, dims=1)
        inputs[:, 0] = BOS
        return inputs, targets

    def order(self, epoch, time, slices):
        key = (epoch, time)
        if key not in self.orders:
            self.orders = {key: np.random.default_rng([self.seed, epoch, time]).permutation(slices)}
        return self.orders[key]


def rate_at(step, steps, decay):
    """The schedule's factor for this step (0-based)."""
    return min((step + 1) / WARM_UP, 1.0, (steps - step) / max(decay, 1))


def time_at(step, steps, decay, context):
    """The sequence length of this step."""
    done = 1 - (steps - step) / max(decay, 1)
    if done < 0:
        return min(SHORT, context)
    return context if done >= 1 - CONTEXT_SHARE else min(LONG, context)


class Run:
    """A model, its optimiser and where the run is; saved and restored as one."""

    def __init__(self, shape, seed, device):
        torch.manual_seed(seed)
        self.shape = shape
        self.model = models.Transformer(shape).to(device)
        self.optimiser = Optimiser(self.model)
        self.step = 0
        self.consumed = 0

    def save(self, path):
        """Whole or not at all: written beside `path`, synced, renamed."""
        partial = path.with_suffix(".part")
        try:
            with open(partial, "wb") as file:
                torch.save(self.state_dict(), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            raise TrainingError(f"{path}: cannot save the checkpoint: {error}; the one before it is whole") from error

    def state_dict(self):
        return {
            "shape": vars(self.shape),
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "consumed": self.consumed,
        }

    def load(self, path):
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["shape"] != vars(self.shape):
            raise TrainingError(f"{path}: a checkpoint of shape {saved['shape']}, asked for {vars(self.shape)}")
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.consumed = saved["step"], saved["consumed"]


def train_step(run, tokens, options, device):
    """One optimiser step. Returns the loss in nats per token."""
    time_steps = time_at(run.step, options.steps, options.decay, run.shape.context)
    for p in run.model.parameters():
        p.grad = None
    loss_sum = 0.0
    for _ in range(options.batch // options.micro):
        inputs, targets = tokens.batch(run.consumed, options.micro, time_steps)
        loss = run.model.loss(inputs.to(device), targets.to(device)) / options.batch
        loss.backward()
        loss_sum += loss.item()
        run.consumed += options.micro
    if not np.isfinite(loss_sum):
        raise TrainingError(
            f"step {run.step}: the loss is {loss_sum}; the last checkpoint is from before; try a lower rate"
        )
    run.optimiser.step(rate_at(run.step, options.steps, options.decay))
    run.step += 1
    return loss_sum


def train(run, tokens, valid, options, device):
    """Steps until `options.steps`, a signal, or `options.minutes`; saves regularly and at the end."""
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))
    log_path = options.out.with_suffix(".csv")
    started = saved = reported = time.monotonic()
    losses = []
    while run.step < options.steps and not stop:
        losses.append(train_step(run, tokens, options, device))
        now = time.monotonic()
        if run.step % options.report == 0 or run.step == options.steps:
            speed = len(losses) * options.batch / (now - reported)
            report(run, tokens, valid, np.mean(losses), speed, log_path, device)
            losses, reported = [], time.monotonic()
        if now - saved > options.save_seconds:
            run.save(options.out)
            saved = now
        if options.minutes and now - started > 60 * options.minutes:
            break
    run.save(options.out)
    if run.step < options.steps:
        raise TrainingError(f"stopped at step {run.step} of {options.steps} with a checkpoint; run again to go on")


def report(run, tokens, valid, loss, speed, log_path, device):
    bits = loss / np.log(2) / tokens.bytes_per_token
    row = [run.step, run.consumed, f"{loss:.4f}", f"{bits:.4f}", f"{speed:.0f}"]
    row += [f"{evaluate.bits_per_byte(run.model, v, device):.4f}" for v in valid]
    new = not log_path.exists()
    with open(log_path, "a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(
                ["step", "tokens", "loss", "bits_per_byte", "tokens_per_s"] + [f"valid_{i}" for i in range(len(valid))]
            )
        writer.writerow(row)
    print(*row, flush=True)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokens", type=pathlib.Path, help="train.tokens of recipe.tokens")
    parser.add_argument(
        "--valid", type=pathlib.Path, nargs="*", default=[], help="token files to report bits per byte on"
    )
    parser.add_argument("--vocabulary", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="checkpoint; the log goes beside it as .csv")
    parser.add_argument("--resume", type=pathlib.Path, help="checkpoint to go on from; default: --out where it exists")
    parser.add_argument(
        "--start", type=pathlib.Path, help="GGUF file of the recipe to begin a new run from, instead of random weights"
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay", type=int, required=True, help="how many of the steps lower the rate to zero")
    parser.add_argument("--batch", type=int, default=8192, help="tokens a step")
    parser.add_argument("--micro", type=int, default=8192, help="tokens at a time (gradients add up to a batch)")
    parser.add_argument("--minutes", type=float, default=0, help="stop after that long, with a checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=int, default=500, help="steps between reports")
    parser.add_argument("--save-seconds", type=float, default=240)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--no-compile", action="store_true", help="plain PyTorch: slower, starts at once")
    for name, field in models.Shape.__dataclass_fields__.items():
        if name != "vocabulary":
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=field.default)
    options = parser.parse_args(argv)
    if options.batch % options.micro or options.micro % options.context:
        parser.error("--batch must be a multiple of --micro, and --micro of --context")
    return options


def main(argv=None):
    options = parse(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fields = {n: getattr(options, n) for n in models.Shape.__dataclass_fields__ if n != "vocabulary"}
    pieces = load_pieces(options.vocabulary)
    shape = models.Shape(vocabulary_size(pieces), **fields)
    try:
        tokens = Tokens(options.tokens, options.vocabulary, options.seed)
        valid = [Tokens(path, options.vocabulary, options.seed) for path in options.valid]
        run = Run(shape, options.seed, device)
        resume = options.resume or (options.out if options.out.exists() else None)
        if resume:
            run.load(resume)
        elif options.start:
            run.model.load_state_dict(read_model(options.start, pieces, shape))
        if not options.no_compile:
            models.compile_parts(run.model)
        print(f"{sum(p.numel() for p in run.model.parameters()):,} parameters, from step {run.step}", flush=True)
        train(run, tokens, valid, options, device)
    except (TrainingError, OSError, ValueError) as error:
        sys.exit(f"train: {error}")


if __name__ == "__main__":
    main()
