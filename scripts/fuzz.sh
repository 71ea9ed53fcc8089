#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs every fuzz target of a folder for some seconds each. Usage: fuzz.sh FOLDER SECONDS
set -eu
for target in "$1"/*_fuzzer; do
  echo "== $(basename "$target"), $2 s"
  corpus=$(mktemp -d)
  "$target" -max_total_time="$2" -print_final_stats=1 "$corpus" 2>&1 | tail -n 8
  rm -rf "$corpus"
done
