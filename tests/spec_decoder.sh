#!/bin/sh
# SPDX-License-Identifier: MIT
# The decoder that was written from spec/ alone, in another language, gives back what tacit stored: model segments
# longer than the window, bytes that are no text, and the fallbacks. Usage: spec_decoder.sh TACIT PYTHON_DECODER
set -eu
tacit=$1
decoder=$2
python=/usr/bin/python3  # the one that Debian's python3-numpy belongs to; another may come first in PATH
"$python" -c 'import numpy, xxhash' 2> /dev/null || python=python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$(dirname "$0")
head -c 900 "$here/../examples/temperature-1.txt" > "$work/text"
printf 'nul \000, not UTF-8 \377\376, \342\226\201 itself, \r\n' >> "$work/text"
head -c 3000 /dev/urandom > "$work/random"
yes 'the same line again' | head -c 60000 > "$work/repeated"
: > "$work/empty"
for case in "text --window 32" "random" "repeated" "empty"; do
  # shellcheck disable=SC2086  # a name and its options
  set -- $case
  name=$1
  shift
  "$tacit" compress -q "$@" "$work/$name" -o "$work/$name.tct"
  "$python" "$decoder" "$work/$name.tct" -o "$work/$name.out"
  cmp "$work/$name" "$work/$name.out"
  echo "ok $case"
done
