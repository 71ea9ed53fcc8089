#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the example texts again, byte for byte, with the built-in model: thirty-two texts of at most 600 tokens each,
# joined by blank lines, drawn as most services draw them and from the plain distribution. Usage: make.sh TACIT
set -eu
tacit=$(realpath "$1")
cd "$(dirname "$0")"
write() {  # FILE, sampler options
  file=$1
  shift
  : > "$file"
  for seed in $(seq 1 32); do
    "$tacit" generate "$@" --seed "$seed" -n 600 --stop-at-eos >> "$file"
    printf '\n\n' >> "$file"
  done
}
write temperature-0.7-top-p-0.9.txt --temperature 0.7 --top-p 0.9
write temperature-1.txt --temperature 1
