#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the includes of src/ and cli/ against the ladder of docs/architecture.md: a room may include itself and the
rooms named here, and nothing else. Exit 1 and a line for each include that breaks it."""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "numeric": {"base"},
    "gguf": {"base"},
    "quants": {"base", "numeric", "gguf"},
    "tokenizer": {"base", "gguf"},
    "coder": {"base"},
    "records": {"base"},
    "sampling": {"base", "numeric"},
    "mixing": {"base", "numeric", "sampling"},
    "archive": {"base", "sampling"},
    "model": {"base", "numeric", "gguf", "quants"},
    "engine": {"base"},
    "engine/cpu/kernels": {"base", "numeric", "sampling"},
    "engine/cpu": {"base", "numeric", "gguf", "quants", "model", "engine", "engine/cpu/kernels"},
    "coding": {"base", "numeric", "tokenizer", "sampling", "mixing", "coder", "engine"},
    "store": {"base", "gguf", "tokenizer", "model", "engine", "engine/cpu", "engine/cpu/kernels"},
    "generate": {"base", "tokenizer", "sampling", "engine", "store"},
    "codec": {"base", "tokenizer", "model", "sampling", "engine", "coding", "records", "archive", "store"},
    "api": {"base", "archive", "sampling", "engine", "coding", "store", "generate", "codec"},
}
# Transcendental functions of the C library differ between machines; only numeric/ has any.
LIBM = re.compile(r"\b(?:std::)?(?:exp|log|log2|sin|cos|tanh|pow|erf)f?\s*\(")


def room_of(path):
    """The innermost room that the file or include lies in; None for the standard library's and others' headers."""
    parents = [str(parent) for parent in pathlib.PurePosixPath(path).parents]
    return next((parent for parent in parents if parent in MAY_INCLUDE), None)


def include_errors(root):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in {".h", ".cpp", ".inl"}:
            continue
        room = room_of(path.relative_to(root / "src").as_posix())
        if room is None:
            yield f"{path}: in no room"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'#include "([^"]+)"', line)
            included = room_of(match[1]) if match else None
            if match and included not in MAY_INCLUDE[room] | {room}:
                yield f"{path}:{number}: {room} may not include {match[1]}"
            code = line.split("//")[0].replace("numeric::", "numeric_")
            if room != "numeric" and LIBM.search(code):
                yield f"{path}:{number}: a transcendental function outside of src/numeric"


def client_errors(root):
    for path in sorted((root / "cli").rglob("*")):
        if path.suffix in {".h", ".cpp"} and re.search(r'#include "(?:\.\./)*src/', path.read_text()):
            yield f"{path}: a client may include <tacit/...> only"


def main():
    root = pathlib.Path(sys.argv[1])
    errors = list(include_errors(root)) + list(client_errors(root))
    print("\n".join(errors) if errors else "layers: every include follows the ladder")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
