#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes of files under tacit and the usual compressors, as a table or CSV. Every tacit archive is decompressed and
compared. Usage: ratios.py TACIT [--csv] [--model MODEL.gguf] FILE...  A .jsonl file stands for its `response` texts,
joined by blank lines."""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

COMPRESSORS = {
    "gzip -9": ["gzip", "-9"],
    "zstd -22": ["zstd", "-q", "--ultra", "-22", "--long=27"],
    "xz -9e": ["xz", "-9e"],
    "brotli -11": ["brotli", "-q", "11", "-w", "24"],
}


def text_of(path):
    if path.suffix != ".jsonl":
        return path.read_bytes()
    with open(path, encoding="utf-8") as lines:
        return "\n\n".join(json.loads(line)["response"] for line in lines).encode("utf-8")


def tacit_sizes(tacit, model, text, folder):
    source, archive, back = (os.path.join(folder, name) for name in ("in", "in.tct", "back"))
    pathlib.Path(source).write_bytes(text)
    options = ["-q", "-f"] + (["-m", model] if model else [])
    begin = time.time()
    subprocess.run([tacit, "compress", *options, source, "-o", archive], check=True)
    middle = time.time()
    subprocess.run([tacit, "decompress", *options, archive, "-o", back], check=True)
    end = time.time()
    if pathlib.Path(back).read_bytes() != text:
        raise SystemExit("tacit: the decompressed bytes differ")
    return os.path.getsize(archive), middle - begin, end - middle


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tacit")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--csv", action="store_true")
    parser.add_argument("--model")
    arguments = parser.parse_args()
    columns = ["file", "bytes", *COMPRESSORS, "tacit", "tacit bytes", "compress KB/s", "decompress KB/s"]
    print(",".join(columns) if arguments.csv else "".join(f"{name:>16}" for name in columns))
    for path in arguments.files:
        text = text_of(path)
        row = [path.stem, len(text)]
        for command in COMPRESSORS.values():
            size = len(subprocess.run([*command, "-c"], input=text, capture_output=True, check=True).stdout)
            row.append(f"{len(text) / size:.3f}")
        with tempfile.TemporaryDirectory() as folder:
            size, compress_time, decompress_time = tacit_sizes(arguments.tacit, arguments.model, text, folder)
        row += [f"{len(text) / size:.3f}", size, f"{len(text) / compress_time / 1000:.1f}",
                f"{len(text) / decompress_time / 1000:.1f}"]
        print(",".join(map(str, row)) if arguments.csv else "".join(f"{value:>16}" for value in row), flush=True)


if __name__ == "__main__":
    main()
