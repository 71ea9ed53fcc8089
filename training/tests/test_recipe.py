"""What the recipe promises, on models and texts small enough for seconds. TACIT names the program (default: the release
build)."""

import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch

from recipe import data, evaluate, export, tokenizer, tokens, train
from recipe.model import COMPUTE, Shape, Transformer

TACIT = os.environ.get("TACIT", str(pathlib.Path(__file__).parents[2] / "build/release/cli/tacit"))
TEXT = "The cat sat on the mat.\n\nThe dog sat on the log, and the cat sat on the dog.\x00" * 400
PIECES = tokenizer.train(TEXT, size=375, min_gain=10)
SHAPE = dict(width=32, layers=2, heads=2, kv_heads=1, feed_forward=64, context=512)


@pytest.fixture
def work(tmp_path):
    """A folder with vocabulary.json and text.tokens of TEXT."""
    (tmp_path / "vocabulary.json").write_text(json.dumps(PIECES))
    (tmp_path / "text.txt").write_text(TEXT)
    export.write_vocabulary(tmp_path / "vocabulary.gguf", PIECES)
    names = ("vocabulary.gguf", "vocabulary.json", "text.txt", "text.tokens")
    tokens.write_tokens(TACIT, *(tmp_path / name for name in names))
    return tmp_path


def run_training(work, out, *more):
    arguments = [work / "text.tokens", "--vocabulary", work / "vocabulary.json", "--out", out]
    arguments += ["--no-compile", "--threads", 1]
    arguments += ["--batch", 1024, "--micro", 512, "--steps", 6, "--decay", 2, "--report", 100]
    for name, value in SHAPE.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    train.main([str(a) for a in arguments + list(more)])


def test_split_depends_on_prompt_and_model_only():
    assert data.split_of("any prompt", "grok-2-1212@xai") == "valid-source"
    splits = [data.split_of(f"prompt {i}", "gpt-4") for i in range(4000)]
    assert splits == [data.split_of(f"prompt {i}", "gpt-4") for i in range(4000)]
    assert 30 < splits.count("valid-prompt") < 90


def test_data_errors_name_file_line_and_field(tmp_path):
    with pytest.raises(data.DataError, match="no such file"):
        list(data.read_records(tmp_path / "none.jsonl"))
    (tmp_path / "bad.jsonl").write_text('{"prompt":"a","response":"b","model":"c"}\n{"prompt":1}\n')
    with pytest.raises(data.DataError, match=r"bad.jsonl:2: field 'prompt': expected a string, found int"):
        list(data.read_records(tmp_path / "bad.jsonl"))


def test_separator_never_occurs_inside_a_document(tmp_path):
    record = {"prompt": "p" * 20, "response": "x\x00y", "model": "m"}
    (tmp_path / "in.jsonl").write_text(json.dumps(record) + "\n")
    data.prepare(tmp_path / "in.jsonl", tmp_path)
    assert (tmp_path / "train.txt").read_text() == ""


@pytest.mark.parametrize("piece", [" word", "word", "123", "\n\n", "\n    ", "    ", ").\n", "'s"])
def test_pieces(piece):
    assert tokenizer.allowed(piece)


@pytest.mark.parametrize("piece", ["two words", "1234", "a1", "word\n", "x" * 25])
def test_what_is_no_piece(piece):
    assert not tokenizer.allowed(piece)


def test_equal_neighbours_merge_by_pairs_from_the_start_of_their_run():
    at = np.array([0, 1, 2, 7, 8, 20])
    assert tokenizer.every_other_in_runs(at).tolist() == [0, 2, 7, 20]


def test_tokens_are_the_text_with_boundaries(work):
    ids = np.fromfile(work / "text.tokens", dtype="<u2")
    assert ids[0] == tokens.BOS and ids[-2:].tolist() == [tokens.EOS, tokens.BOS]
    assert (ids == tokens.EOS).sum() == 400
    spelled = export.SPECIAL + [None] * tokenizer.BYTE_COUNT + PIECES
    assert "".join(spelled[i] for i in ids if i > 2) == TEXT.replace("\x00", "")


def test_a_cut_run_continues_bit_for_bit(work):
    run_training(work, work / "whole.pt")
    with pytest.raises(SystemExit, match="stopped at step 1 of 6"):
        run_training(work, work / "cut.pt", "--minutes", 1e-9)
    run_training(work, work / "cut.pt")
    whole, cut = (torch.load(work / f"{n}.pt", weights_only=True) for n in ("whole", "cut"))
    assert whole["step"] == cut["step"] == 6
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, cut["model"][name]), name


def test_training_lowers_the_loss_and_the_export_says_the_same(work):
    run_training(work, work / "model.pt", "--steps", 120, "--decay", 40)
    saved = torch.load(work / "model.pt", weights_only=True)
    model = Transformer(Shape(**saved["shape"]))
    model.load_state_dict(saved["model"])
    text = train.Tokens(work / "text.tokens", work / "vocabulary.json", 1)
    assert evaluate.bits_per_byte(model, text, "cpu") < 1.0

    card = {"name": "test", "license": "MIT", "description": "test"}
    export.write_model(work / "model.gguf", PIECES, Shape(**saved["shape"]), saved["model"], card)
    ids = [int(i) for i in text.ids[:64]]
    (work / "ids.json").write_text(json.dumps(ids))
    command = [TACIT, "eval", "-m", work / "model.gguf", "--tokens", work / "ids.json", "--logits", work / "logits.f32"]
    subprocess.run(command, check=True)
    logits = torch.from_numpy(np.fromfile(work / "logits.f32", dtype=np.float32).reshape(len(ids), -1))
    with torch.no_grad():
        expected = (model.hidden(torch.tensor([ids])) @ model.embedding.to(COMPUTE).T)[0].float()
    divergence = torch.nn.functional.kl_div(
        logits.log_softmax(-1), expected.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    assert divergence < 0.01


def test_a_run_begins_from_a_file_with_the_weights_that_the_file_has(work):
    run_training(work, work / "a.pt")
    saved = torch.load(work / "a.pt", weights_only=True)
    card = {"name": "a", "license": "MIT", "description": "a"}
    export.write_model(work / "a.gguf", PIECES, Shape(**saved["shape"]), saved["model"], card)
    state = export.read_model(work / "a.gguf", PIECES, Shape(**saved["shape"]))
    for name, tensor in saved["model"].items():
        assert torch.allclose(state[name], tensor, atol=tensor.abs().max().item() / 127), name
    run_training(work, work / "b.pt", "--start", work / "a.gguf", "--steps", 1, "--decay", 1)
    assert torch.load(work / "b.pt", weights_only=True)["step"] == 1


def test_a_file_of_another_vocabulary_or_shape_is_no_start(work):
    export.write_vocabulary(work / "v.gguf", PIECES)
    shape = Shape(export.vocabulary_size(PIECES), **SHAPE)
    with pytest.raises(ValueError, match="vocabulary is not the one given"):
        export.read_model(work / "v.gguf", PIECES[::-1], shape)
    with pytest.raises(ValueError, match="blk.0.attn_k.weight: expected"):
        export.read_model(work / "v.gguf", PIECES, shape)


def test_small_kinds_of_text_are_repeated():
    text = "Once upon a time there was a"
    assert data.repeats((text, text + " fox.", "gpt2-xl")) == data.REPEATS_OF_CONTINUATIONS
    assert data.repeats(("Who are you, my friend?", "I am a fox.", "gpt-4")) == data.REPEATS_OF_RARE_MODELS
    assert data.repeats(("Who are you, my friend?", "I am a fox.", "openai/gpt-4o")) == 1
    assert data.repeats(("Who are you, my friend?", "I am a fox.", "claude")) == data.REPEATS_OF_OTHER_MODELS
    assert data.repeats(("Who are you, my friend?", '{"reasoning": "I am a fox.", "answer": 1}', "claude")) == 1


def test_another_vocabulary_is_refused(work):
    (work / "vocabulary.json").write_text(json.dumps(PIECES[:-1]))
    with pytest.raises(SystemExit, match="made with another vocabulary"):
        run_training(work, work / "model.pt")


def test_another_shape_is_refused_on_resume(work):
    run_training(work, work / "model.pt")
    with pytest.raises(SystemExit, match="a checkpoint of shape"):
        run_training(work, work / "model.pt", "--layers", 3)


def test_nan_stops_and_keeps_the_last_checkpoint(work, monkeypatch):
    run_training(work, work / "model.pt")
    before = (work / "model.pt").read_bytes()
    monkeypatch.setattr(Transformer, "loss", lambda self, i, t: self.embedding.sum() * float("nan"))
    with pytest.raises(SystemExit, match="step 6: the loss is nan"):
        run_training(work, work / "model.pt", "--steps", 9)
    assert (work / "model.pt").read_bytes() == before


def test_a_full_disk_leaves_the_old_checkpoint(work, monkeypatch):
    run_training(work, work / "model.pt")
    before = (work / "model.pt").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit, match="cannot save the checkpoint.*No space left"):
        run_training(work, work / "model.pt", "--steps", 9)
    assert (work / "model.pt").read_bytes() == before
    assert not list(work.glob("*.part"))
