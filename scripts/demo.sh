#!/bin/sh
# SPDX-License-Identifier: MIT
# Compresses the texts of examples/, which the built-in model wrote, decompresses, compares, and shows sizes and speed
# beside the usual tools. Usage: demo.sh TACIT
set -eu
tacit=$(realpath "$1")
cd "$(dirname "$0")/../examples"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
size() { wc -c < "$1" | tr -d ' '; }
now() { date +%s.%N; }

for text in *.txt; do
  begin=$(now)
  "$tacit" compress -q "$text" -o "$work/$text.tct"
  middle=$(now)
  "$tacit" decompress -q "$work/$text.tct" -o "$work/$text"
  end=$(now)
  cmp "$text" "$work/$text"
  gzip -9 < "$text" > "$work/gz"
  xz -9e < "$text" > "$work/xz"
  zstd -q --ultra -22 --long=27 < "$text" > "$work/zst"
  brotli -q 11 -w 24 < "$text" > "$work/br"
  awk -v name="$text" -v n="$(size "$text")" -v t="$(size "$work/$text.tct")" -v g="$(size "$work/gz")" \
      -v x="$(size "$work/xz")" -v z="$(size "$work/zst")" -v b="$(size "$work/br")" \
      -v begin="$begin" -v middle="$middle" -v end="$end" 'BEGIN {
    printf "%s: %d bytes, decompressed and equal\n", name, n
    printf "  %-22s %8s %7s\n", "", "bytes", "ratio"
    printf "  %-22s %8d %6.2fx\n", "gzip -9", g, n / g
    printf "  %-22s %8d %6.2fx\n", "zstd -22 --long", z, n / z
    printf "  %-22s %8d %6.2fx\n", "xz -9e", x, n / x
    printf "  %-22s %8d %6.2fx\n", "brotli -11", b, n / b
    printf "  %-22s %8d %6.2fx\n", "tacit", t, n / t
    printf "  compress, with its check: %.1f KB/s; decompress: %.1f KB/s\n",
      n / (middle - begin) / 1000, n / (end - middle) / 1000
  }'
done
