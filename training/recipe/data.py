"""Texts to train on, as archives will present them.

Input: one JSON object a line, `{"prompt", "response", "model"}`, as `.jsonl` or `.jsonl.zst`. Output: text files in
which documents are separated by NUL (a character that no document holds), in a fixed order:

    train.txt          everything that is not held out
    valid-prompt.txt   records of held-out prompts: known sources, new prompts
    valid-source.txt   records of held-out models: their texts are never trained on

What a model reads in an archive is not one answer after an end-of-text token, so neighbouring records are packed into
documents of up to PACK_RECORDS records in one of the presentations below.
"""

import argparse
import hashlib
import io
import json
import pathlib
import random
import sys

import zstandard

# One of each large family of sources, so that a change that only helps texts already seen does not pass for progress.
HELD_OUT_MODELS = {"grok-2-1212@xai", "OpenAssistant/falcon-7b-sft-top1-696"}
HELD_OUT_PROMPTS_PER_MILLE = 15
PACK_RECORDS = 8
SEPARATOR = "\x00"
VALID_BYTES = 600_000  # of each held-out file: enough to tell runs apart, quick to measure

# How often a pack of records is seen in one pass. Answers of a hundred open models to the same chat prompts and exam
# questions (named "owner/model") are four fifths of the data and say much the same many times over; prose written on
# from a first sentence, what few models wrote, and everything else would drown.
REPEATS_OF_CONTINUATIONS = 6
REPEATS_OF_RARE_MODELS = 3
REPEATS_OF_OTHER_MODELS = 2
RARE_MODELS = ("gpt-4", "gpt-3", "davinci")  # and what is named after them, unless a service's name stands before it

# Weights of the presentations. Most archives are plain responses one after another; logs are JSON lines.
PRESENTATIONS = {"joined": 60, "single": 20, "prompted": 12, "json_lines": 8}


class DataError(Exception):
    """The input is missing or is not what this recipe reads; the message names file, line and field."""


def read_records(path):
    """Yields (prompt, response, model) of each line of a .jsonl or .jsonl.zst file."""
    path = pathlib.Path(path)
    if not path.exists():
        raise DataError(
            f"{path}: no such file; set DATA to a .jsonl or .jsonl.zst file of prompt/response/model records"
        )
    with open(path, "rb") as raw:
        stream = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(raw) if path.suffix == ".zst" else raw
        for number, line in enumerate(io.TextIOWrapper(stream, encoding="utf-8"), 1):
            yield parse_record(path, number, line)


def parse_record(path, number, line):
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{number}: not JSON: {error}") from error
    for field in ("prompt", "response", "model"):
        if not isinstance(record.get(field), str):
            raise DataError(
                f"{path}:{number}: field '{field}': expected a string, found {type(record.get(field)).__name__}"
            )
    return record["prompt"], record["response"], record["model"]


def split_of(prompt, model):
    """'train', 'valid-prompt' or 'valid-source'; a pure function of the record, so every run agrees."""
    if model in HELD_OUT_MODELS:
        return "valid-source"
    digest = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "little")
    return "valid-prompt" if digest % 1000 < HELD_OUT_PROMPTS_PER_MILLE else "train"


def has_real_prompt(record):
    """Some sources have only a key (a file name and a number) where the prompt would be."""
    prompt, response, _ = record
    return len(prompt) >= 16 and ".jsonl" not in prompt[:80] and not response.startswith(prompt[:40])


def repeats(record):
    """How often a pass over the data shows the pack that begins with this record."""
    prompt, response, model = record
    if len(prompt) >= 16 and response.startswith(prompt[:40]):
        return REPEATS_OF_CONTINUATIONS
    if model.startswith(RARE_MODELS):
        return REPEATS_OF_RARE_MODELS
    return 1 if "/" in model or is_exam_answer(response) else REPEATS_OF_OTHER_MODELS


def is_exam_answer(response):
    """The JSON object that one large source asks its models for."""
    return response.lstrip().startswith("{") and '"reasoning' in response[:200]


def present(records, rng):
    """Packs neighbouring records into documents (a list of str)."""
    kind = rng.choices(list(PRESENTATIONS), PRESENTATIONS.values())[0]
    if kind == "single":
        return [response for _, response, _ in records]
    if kind == "json_lines":
        return ["\n".join(json_line(record, rng.random() < 0.5) for record in records) + "\n"]
    if kind == "prompted":
        return ["\n\n".join(f"{r[0]}\n\n{r[1]}" if has_real_prompt(r) else r[1] for r in records)]
    return ["\n\n".join(response for _, response, _ in records)]


def json_line(record, escape_non_ascii):
    prompt, response, model = record
    return json.dumps({"prompt": prompt, "response": response, "model": model}, ensure_ascii=escape_non_ascii)


def prepare(source, out, every=1, seed=1):
    """Writes the three text files under `out` from every `every`-th record. Returns bytes per file."""
    rng = random.Random(seed)
    runs = {"train": [], "valid-prompt": [], "valid-source": []}
    for index, record in enumerate(read_records(source)):
        if index % every != 0 or SEPARATOR in record[0] + record[1]:
            continue
        split = runs[split_of(record[0], record[2])]
        if not split or len(split[-1]) == PACK_RECORDS:
            split.append([])
        split[-1].append(record)
    limits = {name: None if name == "train" else VALID_BYTES for name in runs}
    return {name: write_split(out / f"{name}.txt", packs, rng, limits[name]) for name, packs in runs.items()}


def write_split(path, packs, rng, limit):
    if limit is None:
        packs = [pack for pack in packs for _ in range(repeats(pack[0]))]
    rng.shuffle(packs)
    with open(path, "w", encoding="utf-8", newline="") as file:
        for pack in packs:
            if limit is not None and file.tell() > limit:
                break
            for document in present(pack, rng):
                file.write(document + SEPARATOR)
    return path.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="records, .jsonl or .jsonl.zst")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the text files")
    parser.add_argument("--every", type=int, default=1, help="use every so many-th record only")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        sizes = prepare(arguments.source, arguments.out, arguments.every)
    except (DataError, OSError) as error:
        sys.exit(f"data: {error}")
    for name, size in sizes.items():
        print(f"{name}: {size:,} bytes")


if __name__ == "__main__":
    main()
