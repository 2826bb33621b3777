#!/usr/bin/env bash
# Writes the predicted time of a training step of BN-Inception at 224x224 in bf16 for each GPU of devices/. Needs the CUDA
# build, and neither a GPU nor a driver.
#   usage: run.sh [OUT.md]      default: experiments/benchmarks/gpu_model/results.md
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../common.sh"
take_no_options "$@"
out=experiments/benchmarks/gpu_model/results.md
[ $# -eq 0 ] || out=$(from_caller "$1")
plans=$(mktemp -d)
trap 'rm -rf "$plans"' EXIT
files=()
for device in experiments/benchmarks/gpu_model/devices/*.json; do
  for batch in 32 256; do
    files+=("$plans/$(basename "$device" .json)_$batch.json")
    # A batch that does not fit ends with a message and status 6, its plan printed.
    "$bninception" profile configs/imagenet/bn_baseline.yaml --set device=cuda --set precision=bf16 \
      --set train.batch=$batch --plan-only "$device" --json \
      >"${files[-1]}" || [ $? -eq 6 ]
  done
done
python3 experiments/benchmarks/gpu_model/model.py "${files[@]}" >"$out"
echo "$(shown "$out")"
