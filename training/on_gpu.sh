#!/bin/sh
# SPDX-License-Identifier: MIT
# Trains on a GPU machine that gets a copy of this working tree and nothing else (no network, no shared data),
# ends after MINUTES, and returns small files only.
#
#   training/on_gpu.sh pack         here, after `make -C training tokens`: what the machine needs, to training/gpu/ (xz)
#   training/on_gpu.sh train OUT    there: as many steps as fit into MINUTES (default 8), then the log and
#                                   OUT/tacit-small-q8_0.gguf
#
# SHAPE is the trainer's; PYTHON must have PyTorch. gguf, the only package that such machines lack, is packed as a
# wheel.
set -eu
cd "$(dirname "$0")"
work=${WORK:-../build/training}
packed=${PACKED:-gpu}
python=${PYTHON:-python3}
minutes=${MINUTES:-8}
shape=${SHAPE:---width 256 --layers 8 --heads 4 --kv-heads 2 --feed-forward 704}
flags=${TRAIN_FLAGS:-}
batch=${BATCH:-32768}

pack() {
  rm -rf "$packed"
  mkdir -p "$packed/wheels"
  "$python" -m pip download --quiet --no-deps --dest "$packed/wheels" "$(grep '^gguf==' requirements.txt)"
  cp "$work/vocabulary.json" "$packed"
  for name in train valid-prompt valid-source; do
    cp "$work/$name.json" "$packed"
    xz -6 --threads 1 --stdout "$work/$name.tokens" > "$packed/$name.tokens.xz"
  done
  du -sh "$packed"
}

run() {  # checkpoint, steps, decay, more options
  checkpoint=$1 steps=$2 decay=$3
  shift 3
  # Shapes and flags are lists of words.
  # shellcheck disable=SC2086
  "$python" -m recipe.train "$scratch/train.tokens" --vocabulary "$packed/vocabulary.json" --out "$checkpoint" \
    --steps "$steps" --decay "$decay" --batch "$batch" --micro "$batch" $shape $flags "$@"
}

train() {
  out=$1
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  "$python" -m pip install --quiet --no-index --no-deps --target "$scratch/site" "$packed"/wheels/*.whl
  export PYTHONPATH="$scratch/site"
  for name in train valid-prompt valid-source; do
    cp "$packed/$name.json" "$scratch"
    xz --decompress --stdout "$packed/$name.tokens.xz" > "$scratch/$name.tokens"
  done
  # The second report's speed is free of compilation; a tenth of the time is left for longer sequences, which are
  # slower, and the export.
  run "$scratch/probe.pt" 40 40 --report 20
  speed=$(tail -n 1 "$scratch/probe.csv" | cut -d , -f 5)
  steps=$(awk -v speed="$speed" -v minutes="$minutes" -v batch="$batch" \
    'BEGIN { print int(0.9 * speed * minutes * 60 / batch) }')
  echo "$speed tokens/s: $steps steps"
  run "$scratch/model.pt" "$steps" $((steps / 3)) --report $((steps / 10 + 1)) \
    --valid "$scratch/valid-prompt.tokens" "$scratch/valid-source.tokens"
  "$python" -m recipe.export "$packed/vocabulary.json" --checkpoint "$scratch/model.pt" --name tacit-small \
    --out "$out/tacit-small-q8_0.gguf"
  cp "$scratch/model.csv" "$out"
}

case ${1:-} in
  pack) pack ;;
  train) train "$(realpath "${2:?"usage: on_gpu.sh train OUT"}")" ;;
  *) sed -n '3,9p' "$(basename "$0")" >&2; exit 2 ;;
esac
