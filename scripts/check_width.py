#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that lines end at column 120: of source, scripts, build files and Markdown under version control. Data, web
pages and generated tables are left out. Exit 1 and a line for each that is longer."""
import pathlib
import re
import subprocess
import sys

COLUMN_MAX = 120
NAMES = re.compile(r"\.(?:c|h|cpp|hpp|inl|S|py|sh|cmake|md)$|(?:^|/)(?:CMakeLists\.txt|Makefile|run)$")
DATA = re.compile(r"^tests/archives/|^bench/results/|^src/tokenizer/unicode_data\.inl$|^src/quants/iq_grids\.cpp$")


def tracked_files(root):
    """Paths below `root`, as git has them; all files of a tree that is no repository, builds left out."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0:
        return listed.stdout.split("\0")
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if path.parts[0] not in {"build", "shared"})


def main():
    root = pathlib.Path(sys.argv[1])
    errors = []
    for name in tracked_files(root):
        path = root / name
        if not NAMES.search(name) or DATA.search(name) or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if len(line) > COLUMN_MAX:
                errors.append(f"{name}:{number}: {len(line)} columns")
    print("\n".join(errors) if errors else f"width: every line ends at column {COLUMN_MAX}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
