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
    "kernels": {"base", "numeric"},
    "gguf": {"base"},
    "quants": {"base", "numeric", "gguf"},
    "tokenizer": {"base", "gguf"},
    "model": {"base", "numeric", "kernels", "gguf", "quants"},
    "sampling": {"base", "numeric", "kernels"},
    "mixing": {"base", "numeric", "kernels", "sampling"},
    "coder": {"base"},
    "coding": {"base", "numeric", "kernels", "tokenizer", "model", "sampling", "mixing", "coder"},
    "records": {"base"},
    "archive": {"base", "sampling"},
    "store": {"base", "gguf", "tokenizer", "model"},
    "generate": {"base", "kernels", "tokenizer", "model", "sampling", "store"},
    "codec": {"base", "kernels", "tokenizer", "model", "sampling", "coding", "records", "archive", "store"},
    "api": {"base", "kernels", "archive", "sampling", "mixing", "coding", "store", "generate", "codec"},
}
# Transcendental functions of the C library differ between machines; only numeric/ has any.
LIBM = re.compile(r"\b(?:std::)?(?:exp|log|log2|sin|cos|tanh|pow|erf)f?\s*\(")


def include_errors(root):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in {".h", ".cpp", ".inl"}:
            continue
        room = path.relative_to(root / "src").parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'#include "([^/"]+)/', line)
            if match and match[1] != room and match[1] not in MAY_INCLUDE[room]:
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
