"""Trains a sentencepiece-BPE vocabulary (`tokenizer.ggml.model = llama`) on a sample of the training text.

The encoder of such a vocabulary has no pre-tokenizer: it merges, over the whole text, the adjacent pair whose joined
piece has the best score until no joined pair is a piece. So which pieces may exist is all that shapes the splits, and
this trainer merges under the very same rule: a pair may merge when the joined text is an allowed piece (PIECE). Pairs
are merged in batches of non-interacting ones, most frequent first.

Pieces, in id order: <unk>, <s>, </s>, 256 bytes, characters, merged pieces. A piece's score is minus its rank.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

import numpy as np

from recipe.data import SEPARATOR

SPECIAL = ["<unk>", "<s>", "</s>"]
BYTE_COUNT = 256
MAX_PIECE_BYTES = 24

# One word with the space before it, a run of marks (with the newlines after it), up to three digits, blanks, indents.
PIECE = re.compile(r" ?[^\W\d_]+| ?'[a-z]{1,2}| ?[^\w\s]+\n{0,2}| ?_+| ?[0-9]{1,3}|\n+ *| +|\t+|\r\n")


def allowed(piece):
    return len(piece.encode()) <= MAX_PIECE_BYTES and PIECE.fullmatch(piece) is not None


def choose_characters(text, min_gain):
    """Characters worth a piece: each one saves its UTF-8 bytes less one token per occurrence. ASCII always
    qualifies."""
    counts = collections.Counter(text)
    del counts[SEPARATOR]
    chosen = [c for c, n in counts.items() if " " <= c < "\x7f" or c in "\n\t" or (len(c.encode()) - 1) * n >= min_gain]
    chosen += [chr(c) for c in range(0x20, 0x7F) if chr(c) not in counts]
    return sorted(chosen, key=lambda c: (-counts[c], c))


class Merger:
    """The token stream of the sample and its merges. -1 marks what never merges: a document's end, an unknown
    character."""

    def __init__(self, text, characters):
        self.pieces = list(characters)
        self.known = {piece: i for i, piece in enumerate(self.pieces)}
        codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        table = np.full(0x110000, -1, dtype=np.int32)
        for i, character in enumerate(characters):
            table[ord(character)] = i
        self.tokens = table[codes]
        self.refused = {}

    def run(self, size, report):
        """Merges until there are `size` pieces. Errors: ValueError where the text has too few frequent pairs for
        that."""
        while len(self.pieces) < size:
            pairs = self.best_pairs(size - len(self.pieces))
            if not pairs:
                raise ValueError(f"the sample has pairs for {len(self.pieces)} pieces only, {size} are asked for")
            self.apply(pairs)
            report(len(self.pieces), len(self.tokens), pairs[-1][0])

    def best_pairs(self, room):
        """Up to `room` frequent pairs, none of which takes part in another: (count, left, right), descending."""
        left, right = self.tokens[:-1], self.tokens[1:]
        both = (left >= 0) & (right >= 0)
        keys, counts = np.unique((left[both].astype(np.int64) << 32) | right[both], return_counts=True)
        frequent = counts >= 8
        keys, counts = keys[frequent], counts[frequent]
        chosen, lefts, rights, texts = [], set(), set(), set()
        for i in np.argsort(-counts, kind="stable"):
            a, b = int(keys[i] >> 32), int(keys[i] & 0xFFFFFFFF)
            if chosen and (counts[i] < 0.8 * chosen[0][0] or len(chosen) == room):
                break
            if not self.may_merge(a, b):
                continue
            text = self.pieces[a] + self.pieces[b]
            if a in rights or b in lefts or (a == b and chosen) or text in texts:
                continue
            chosen.append((int(counts[i]), a, b))
            lefts.add(a), rights.add(b), texts.add(text)
            if a == b:
                break
        return chosen

    def may_merge(self, a, b):
        if (a, b) not in self.refused:
            self.refused[a, b] = not allowed(self.pieces[a] + self.pieces[b])
        return not self.refused[a, b]

    def apply(self, pairs):
        tokens = self.tokens
        where, value = [], []
        for _, a, b in pairs:
            at = np.flatnonzero((tokens[:-1] == a) & (tokens[1:] == b))
            if a == b:
                at = every_other_in_runs(at)
            where.append(at)
            value.append(np.full(len(at), self.add(self.pieces[a] + self.pieces[b]), dtype=np.int32))
        where, value = np.concatenate(where), np.concatenate(value)
        tokens[where] = value
        keep = np.ones(len(tokens), dtype=bool)
        keep[where + 1] = False
        self.tokens = tokens[keep]

    def add(self, piece):
        """The id of a piece; two pairs may spell the same one."""
        if piece not in self.known:
            self.known[piece] = len(self.pieces)
            self.pieces.append(piece)
        return self.known[piece]


def every_other_in_runs(at):
    """Of positions where x x starts, those at even distance from the start of their run of consecutive positions."""
    if len(at) == 0:
        return at
    starts = np.r_[True, np.diff(at) != 1]
    offset = at - np.maximum.accumulate(np.where(starts, at, 0))
    return at[offset % 2 == 0]


def sample(path, size):
    """Documents from evenly spaced places of the file, `size` bytes in all."""
    total = path.stat().st_size
    if total <= size:
        return path.read_text(encoding="utf-8")
    slices = 256
    parts = []
    with open(path, "rb") as file:
        for i in range(slices):
            file.seek(i * (total // slices))
            part = file.read(size // slices).decode("utf-8", errors="ignore")
            parts.append(part[part.find(SEPARATOR) + 1 :] if SEPARATOR in part else part)
    return SEPARATOR.join(parts)


def train(text, size, min_gain, report=lambda *_: None):
    """Returns the pieces (str) after the special and byte ones; `size` counts all."""
    merges = size - len(SPECIAL) - BYTE_COUNT
    merger = Merger(text, choose_characters(text, min_gain))
    if len(merger.pieces) > merges:
        raise ValueError(f"{len(merger.pieces)} characters do not fit {merges} pieces; raise --min-gain")
    merger.run(merges, report)
    return merger.pieces


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=pathlib.Path, help="train.txt of recipe.data")
    parser.add_argument("--size", type=int, required=True, help="pieces in all, specials and bytes included")
    parser.add_argument("--sample", type=int, default=24_000_000, help="bytes of text to look at")
    parser.add_argument("--min-gain", type=int, default=180, help="tokens that a non-ASCII character must save")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="vocabulary, a JSON list of pieces")
    arguments = parser.parse_args()
    if not arguments.text.exists():
        sys.exit(f"tokenizer: {arguments.text}: no such file; run recipe.data first")
    text = sample(arguments.text, arguments.sample)

    def report(pieces, tokens, count):
        if sys.stderr.isatty():
            print(
                f"\r{pieces} pieces, {len(text.encode()) / tokens:.3f} bytes a token, count {count}   ",
                end="",
                file=sys.stderr,
            )

    try:
        pieces = train(text, arguments.size, arguments.min_gain, report)
    except ValueError as error:
        sys.exit(f"tokenizer: {error}")
    arguments.out.write_text(json.dumps(pieces, ensure_ascii=False, indent=0), encoding="utf-8")
    print(f"{arguments.out}: {len(pieces) + len(SPECIAL) + BYTE_COUNT} pieces")


if __name__ == "__main__":
    main()
