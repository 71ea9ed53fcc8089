# SPDX-License-Identifier: MIT
"""Changes a model for tests: gguf.py IN OUT KEY=TEXT... gives each string of the metadata, which must be there, another
value of the same length, so that nothing else moves."""
import sys


def main():
    source, target, *changes = sys.argv[1:]
    data = bytearray(open(source, "rb").read())
    for change in changes:
        key, text = (part.encode() for part in change.split("=", 1))
        head = len(key).to_bytes(8, "little") + key + (8).to_bytes(4, "little") + len(text).to_bytes(8, "little")
        place = data.index(head) + len(head)
        data[place : place + len(text)] = text
    open(target, "wb").write(data)


main()
