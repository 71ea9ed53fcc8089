#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests an aarch64 build under emulation: those tests of arithmetic, coder and archives that take seconds; and that with
# every kernel set it gives the logits and the archives of the build for this machine. Left out: whatever takes longer
# (most of codec, all combinations of threads), and tokenizers, readers of hostile models, C API and command line, which
# no instruction set changes. Usage: test_arm.sh ARM_BUILD TACIT
set -eu
build=$1
native=$2
here=$(dirname "$0")/..
kit=$here/../shared/conformance/models
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

arm() {  # arm PROCESSOR PROGRAM [ARGUMENT]...
  processor=$1
  program=$2
  shift 2
  qemu-aarch64 -cpu "$processor" "$build/$program" "$@"
}
same() {  # same WHAT EXPECTED FOUND
  [ "$2" = "$3" ] || { echo "$1: expected $2, found $3"; exit 1; }
}

# The dot products are there on one processor and not on the other.
test_program() {  # test_program PROCESSOR FILTER...
  processor=$1
  shift
  echo "tests on $processor"
  arm "$processor" tests/tacit_tests --gtest_brief=1 --gtest_filter="$(IFS=:; echo "$*")"
}
test_program max '*EveryKernelSet*' 'Numeric.*' 'Frequencies*' 'Quants.*' 'Types/*' 'Forward.ALane*' \
  'Forward.StaysCloseToFloatForEveryTensorType' 'Sets/*' 'RangeCoder.*' 'Archive.*' 'Codec.*Refuse*' \
  'Codec.Every*OfAnArchiveIsSeen' 'Codec.DecodesSegments*' 'Codec.ATinyArchive*'
test_program cortex-a72 '*EveryKernelSet*'

# Logits, also where the text is longer than the window.
printf '[1, 17, 300, 42, 5, 99, 1000, 2, 64, 7, 8, 31, 500, 600, 7, 8, 31, 77, 3, 1200]' > "$work/ids.json"
same_logits() {  # same_logits NAME [ARGUMENT]...
  name=$1
  shift
  expected=$("$native" eval --print-hash -T 1 "$@")
  for set in dotprod neon reference; do
    same "logits of $name, $set" "$expected" "$(arm max cli/tacit eval --print-hash -T 1 --isa $set "$@")"
  done
  model_count=$((model_count + 1))
}
model_count=0
same_logits built-in --tokens "$work/ids.json" --window 16
for model in "$kit"/*.gguf; do
  [ -f "$model" ] || continue  # the conformance kit is not here
  same_logits "$(basename "$model")" -m "$model" --tokens "${model%.gguf}.tokens.json"
done
echo "logits of $model_count models: the hash of this machine with dotprod, neon, reference"

# Archives: the stored ones decode to the same text, and the same text makes the same archive.
for archive in "$here"/tests/archives/*.tct; do
  "$native" decompress -q "$archive" -o "$work/text" -f
  for set in dotprod neon; do
    arm max cli/tacit decompress -q --isa $set "$archive" -o "$work/text.$set" -f
    cmp "$work/text" "$work/text.$set"
  done
  echo "$(basename "$archive"): the same text with dotprod, neon"
done
head -c 700 "$here/examples/temperature-1.txt" > "$work/short"
"$native" compress -q "$work/short" -o "$work/short.tct"
for set in dotprod neon reference; do
  arm max cli/tacit compress -q --isa $set "$work/short" -o "$work/short.$set"
  cmp "$work/short.tct" "$work/short.$set"
done
echo "an archive of 700 bytes: the same bytes with dotprod, neon, reference"
if arm cortex-a72 cli/tacit test -q --isa dotprod "$work/short.tct" 2> /dev/null; then
  echo "dotprod on a processor without dot products: expected a refusal"
  exit 1
fi
