#!/usr/bin/env bash
# Figures 2 and 3 at full size, and the members of Figure 4. Needs imagenet, packed, under BN_DATA_ROOT.
#   usage: run.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# --dry-run needs no data. A build with CUDA adds the days that each network would take on several GPUs, as a model
# predicts them.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure2_imagenet
read_sweep_options "$@"
build_programs
if [ $plan_only = yes ] && [ -f "$(dirname "$bninception")/bn_cuda.so" ] && command -v python3 >/dev/null; then
  echo "Days on one GPU, as experiments/benchmarks/gpu_model predicts them; no GPU has run this yet:"
  bash experiments/benchmarks/gpu_model/days.sh configs/imagenet/{inception,bn_baseline,bn_x5,bn_x30,bn_x5_sigmoid,inception_x5,inception_sigmoid}.yaml
fi
run_study experiments/figure2_imagenet/sweep.yaml "$out"
