"""Text files to token files, with Tacit's own tokenizer, so that training sees exactly the ids that archives will code.

A token file is little-endian uint16 ids: for each document BOS, its tokens, EOS. Beside it `NAME.json` states the bytes
of text and the SHA-256 of the vocabulary; the trainer refuses a file made with another vocabulary.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from recipe import export
from recipe.data import SEPARATOR

BOS, EOS = 1, 2
SEPARATOR_TOKEN = len(export.SPECIAL) + ord(SEPARATOR)  # its byte token
SHARD_BYTES = 16 << 20


def vocabulary_hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tokenize(tacit, vocabulary, text):
    """Ids (uint16) of `text` (bytes), by `tacit tokenize` with the GGUF file `vocabulary`."""
    command = [tacit, "tokenize", "--json", "-m", vocabulary]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{tacit} tokenize: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return np.array(json.loads(done.stdout), dtype=np.uint16)


def shards(path):
    """The file in pieces of about SHARD_BYTES that end where documents end."""
    with open(path, "rb") as file:
        rest = b""
        while block := file.read(SHARD_BYTES):
            block = rest + block
            end = block.rfind(SEPARATOR.encode()) + 1
            rest = block[end:]
            yield block[:end]
    if rest:
        raise ValueError(f"{path}: {len(rest)} bytes after the last separator: the file is cut; run recipe.data again")


def add_boundaries(ids):
    """Each separator's token becomes EOS BOS; the file starts with the first BOS."""
    at = np.flatnonzero(ids == SEPARATOR_TOKEN)
    marked = ids.copy()
    marked[at] = EOS
    return np.insert(marked, at + 1, BOS)


def write_tokens(tacit, vocabulary, pieces_path, text, out):
    partial = out.with_suffix(".part")
    tokens = 0
    with open(partial, "wb") as file:
        file.write(np.array([BOS], dtype="<u2").tobytes())
        for shard in shards(text):
            ids = add_boundaries(tokenize(tacit, vocabulary, shard))
            file.write(ids.astype("<u2").tobytes())
            tokens += len(ids)
    os.replace(partial, out)
    note = {"tokens": tokens, "bytes": text.stat().st_size, "vocabulary": vocabulary_hash(pieces_path)}
    out.with_suffix(".json").write_text(json.dumps(note))
    return note


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=pathlib.Path, nargs="+", help="text files of recipe.data")
    parser.add_argument("--vocabulary", type=pathlib.Path, required=True, help="JSON list of recipe.tokenizer")
    parser.add_argument("--tacit", required=True, help="the tacit program")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for NAME.tokens")
    arguments = parser.parse_args()
    pieces = export.load_pieces(arguments.vocabulary)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        gguf_path = pathlib.Path(folder) / "vocabulary.gguf"
        export.write_vocabulary(gguf_path, pieces)
        for text in arguments.text:
            try:
                note = write_tokens(
                    arguments.tacit, gguf_path, arguments.vocabulary, text, arguments.out / f"{text.stem}.tokens"
                )
            except (RuntimeError, ValueError, OSError) as error:
                sys.exit(f"tokens: {error}")
            print(f"{text.stem}: {note['tokens']:,} tokens, {note['bytes'] / max(note['tokens'], 1):.3f} bytes a token")


if __name__ == "__main__":
    main()
