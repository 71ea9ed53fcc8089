#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run.sh TACIT_CONFORMANCE KIT. The tool passes a part of the kit, and misses what was changed in a copy of it: a
# logit, a dequantised row, a token id.
set -eu
tool=$1
kit=$2
[ -d "$kit" ] || { echo "needs $kit, which is not on this machine"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

part() {  # part FOLDER KEY NAME: that folder of the kit with one entry
  mkdir -p "$work/$1"
  cp "$kit/$1/$3".* "$work/$1/"
  [ ! -f "$kit/$1/tokens.json" ] || cp "$kit/$1/tokens.json" "$work/$1/"
  python3 -c '
import json, sys
source, target, key, name = sys.argv[1:]
entries = [entry for entry in json.load(open(source)) if entry[key] == name]
json.dump(entries, open(target, "w"))' "$kit/$1/manifest.json" "$work/$1/manifest.json" "$2" "$3"
}
part models name phi3
part quants type Q4_K_M
mkdir -p "$work/tokenizers" "$work/vocab"
cp "$kit"/tokenizers/gpt-2.* "$work/tokenizers/"
cp "$kit"/vocab/ggml-vocab-gpt-2.gguf* "$work/vocab/"

"$tool" "$work" | tee "$work/out"
[ "$(grep -c '^ok ' "$work/out")" -eq 3 ] || { echo "expected three lines that pass"; exit 1; }

misses() {  # misses FILE OFFSET BYTES: the tool does not pass once these bytes are in the file
  cp "$1" "$work/original"
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
  if "$tool" "$work" > "$work/out"; then
    echo "passed a changed $1"
    exit 1
  fi
  [ "$(grep -c '^MISS ' "$work/out")" -eq 1 ] || { echo "expected one miss for $1"; cat "$work/out"; exit 1; }
  cp "$work/original" "$1"
}
misses "$work/models/phi3.logits.f32" 4000 '\000\000\000\101'
misses "$work/quants/Q4_K_M.rows.f32" 0 '\000'
sed -i '2s/"ids":\[464,/"ids":[465,/' "$work/tokenizers/gpt-2.jsonl"
if "$tool" "$work" > "$work/out"; then echo "passed a changed token id"; exit 1; fi
if "$tool" "$work/vocab" 2> "$work/out"; then echo "passed a folder without a kit"; exit 1; fi
grep -q 'expected a folder of the kit' "$work/out"
