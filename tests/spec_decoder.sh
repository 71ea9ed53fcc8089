#!/bin/sh
# SPDX-License-Identifier: MIT
# The decoder that was written from spec/ alone, in another language, gives back what tacit stored: model segments
# longer than the window, text that repeats itself, bytes that are no text, the fallbacks, drawn text with and without a
# stated sampler, records, and the archives of archives/ (contract 1, several lanes); and its logits are those of tacit
# for the tensor types of the conformance kit, where that is in TACIT_SHARED. Usage: spec_decoder.sh TACIT
# PYTHON_DECODER
set -eu
tacit=$1
decoder=$2
python=/usr/bin/python3  # the one that Debian's python3-numpy belongs to; another may come first in PATH
"$python" -c 'import numpy, xxhash' 2> /dev/null || python=python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$(dirname "$0")

contract() {  # of an archive
  od -An -tu2 -j10 -N2 "$1" | tr -d ' '
}

head -c 900 "$here/../examples/temperature-1.txt" > "$work/text"
printf 'nul \000, not UTF-8 \377\376, \342\226\201 itself, \r\n' >> "$work/text"
{ head -c 700 "$work/text"; head -c 500 "$work/text"; head -c 300 "$work/text"; } > "$work/again"
head -c 3000 /dev/urandom > "$work/random"
yes 'the same line again' | head -c 60000 > "$work/repeated"
: > "$work/empty"
{ head -c 500 "$work/text"; printf '\n\nshort\n'; head -c 400 "$work/text" | tr '\n' ' '; } > "$work/lines"
"$tacit" generate -n 120 --temperature 0.7 --top-p 0.9 --seed 3 > "$work/drawn"
filters="--top-k 100 --top-p 0.9 --min-p 0.02 --typical-p 0.7"
penalties="--repetition-penalty 1.1 --presence-penalty 0.2 --frequency-penalty 0.1"
for case in "text --window 32" "again" "random" "repeated" "empty" "drawn" "drawn --temperature 0.7 --top-p 0.9" \
  "drawn --temperature 0.6 $filters" "drawn --temperature 0.6 $filters --temperature-last" "text --temperature 0" \
  "again --temperature 0.8 $penalties --penalty-window 50" "text --records --segment 1" \
  "lines --records --segment 200" \
  "repeated --records" "empty --records"; do
  # shellcheck disable=SC2086  # a name and its options
  set -- $case
  name=$1
  shift
  "$tacit" compress -q -f "$@" "$work/$name" -o "$work/$name.tct"
  "$python" "$decoder" "$work/$name.tct" -o "$work/$name.out"
  cmp "$work/$name" "$work/$name.out"
  echo "ok $case (contract $(contract "$work/$name.tct"))"
done

model=$(sha256sum "$here/../models/tacit-small-q8_0.gguf" | cut -d ' ' -f 1)
for name in contract-1 contract-2 contract-2-sampler contract-2-records; do
  archive=$here/archives/$name.tct
  test "contract-$(contract "$archive")" = "$(echo "$name" | cut -d - -f 1,2)"
  if test "$(od -An -v -tx1 -j17 -N32 "$archive" | tr -d ' \n')" != "$model"; then
    echo "left out $archive: it names another model"
    continue
  fi
  "$tacit" decompress -q "$archive" -o "$work/stored"
  "$python" "$decoder" "$archive" -o "$work/stored.out"
  cmp "$work/stored" "$work/stored.out"
  rm "$work/stored"
  echo "ok $archive"
done

"$python" "$here/spec_types.py" "$tacit" "$(dirname "$decoder")" "${TACIT_SHARED:-$here/../../shared}"
