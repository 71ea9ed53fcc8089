#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes src/tokenizer/unicode_data.inl to stdout: of each code point its kind, lower case and first character of the
decomposition. Argument: a UnicodeData.txt of Unicode 15.0 (Debian package unicode-data). The characters that 15.1 added
are named here, since llama.cpp's tables are of 15.1."""
import sys

ADDED_BY_15_1 = [(0x2FFC, 0x2FFF, "So"), (0x31EF, 0x31EF, "So"), (0x2EBF0, 0x2EE5D, "Lo")]
# PropList.txt, White_Space.
WHITE_SPACE = [*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029]
WHITE_SPACE += [0x202F, 0x205F, 0x3000]
KINDS = {"": 0, "C": 1, "N": 2, "L": 3, "P": 4, "M": 5, "S": 6, "Z": 7}  # CharacterKind; Z and white space: 7


def read(path):
    categories, lower, decomposed, first = {}, {}, {}, None
    for line in open(path, encoding="ascii"):
        fields = line.split(";")
        code_point = int(fields[0], 16)
        if fields[1].endswith(", First>"):
            first = code_point
            continue
        for c in range(first if fields[1].endswith(", Last>") else code_point, code_point + 1):
            categories[c] = fields[2]
        if fields[13]:
            lower[code_point] = int(fields[13], 16)
        if fields[5] and not fields[5].startswith("<"):
            decomposed[code_point] = int(fields[5].split()[0], 16)
    for begin, last, category in ADDED_BY_15_1:
        categories.update({c: category for c in range(begin, last + 1)})
    return categories, lower, decomposed


def first_of(code_point, decomposed):
    while code_point in decomposed:
        code_point = decomposed[code_point]
    return code_point


def ranges_of_kinds(categories):
    previous = None
    for c in range(0x110000):
        kind = 7 if c in WHITE_SPACE else KINDS[categories.get(c, "")[:1]]
        if kind != previous:
            yield c << 3 | kind
        previous = kind


def print_table(name, comment, values):
    print(f"\n// {comment}\nconstexpr std::uint32_t {name}[] = {{")
    line = "   "
    for value in values:
        item = f" {value:#x},"
        if len(line) + len(item) > 120:
            print(line)
            line = "   "
        line += item
    print(line + "\n};")


def main():
    categories, lower, decomposed = read(sys.argv[1])
    print("// SPDX-License-Identifier: MIT\n// Made by scripts/unicode_tables.py from the Unicode Character Database, "
          "version 15.1.\n// clang-format off")
    print_table("kKindRanges", "Where another kind begins: code point << 3 | kind.", ranges_of_kinds(categories))
    print_table("kLower", "Pairs: code point, its lower case.", [x for pair in sorted(lower.items()) for x in pair])
    print_table("kDecomposed", "Pairs: code point, the first character of its full canonical decomposition.",
                [x for c in sorted(decomposed) for x in (c, first_of(c, decomposed))])


main()
