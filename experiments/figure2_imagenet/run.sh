#!/usr/bin/env bash
# Figures 2 and 3 at full size, and the members of Figure 4. Needs imagenet, packed, under BN_DATA_ROOT.
#   usage: run.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
#          run.sh --together N [--dry-run] [--out DIR] [--set KEY=VALUE]...
# --dry-run needs no data. A build with CUDA adds the days that each network would take on each kind of GPU, as a model
# predicts them. --together: mpirun starts 1, 2, 4 or 8 processes, with --set device=cuda a GPU each, and they train the
# seven networks of Figures 2 and 3 one after another. The same command goes on where it ended.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure2_imagenet
processes=""
if [ "${1:-}" = --together ]; then
  [[ "${2:-}" =~ ^[1248]$ ]] || fail "--together needs the number of processes: 1, 2, 4 or 8."
  processes=$2 out+=_together
  shift 2
fi
read_sweep_options "$@"
build_programs
configs=configs/imagenet
networks=(inception bn_baseline bn_x5 bn_x30 bn_x5_sigmoid inception_x5 inception_sigmoid)
files=("${networks[@]/#/$root$configs/}")
files=("${files[@]/%/.yaml}")

if [ $plan_only = yes ] && [ -f "$(dirname "$bninception")/bn_cuda.so" ] && command -v python3 >/dev/null; then
  echo "Days on one GPU, and on eight for bn_x5_8x32, as experiments/benchmarks/gpu_model predicts them; no GPU has run this yet:"
  bash experiments/benchmarks/gpu_model/days.sh "${files[@]}" "$root$configs/distributed/bn_x5_8x32.yaml"
fi

# A step has eight parts of 32 images, as configs/imagenet/distributed/bn_x5_8x32.yaml has it for BN-x5: an eighth of the
# steps, and eight times the rate after a warm-up.
train_together() {
  local network=$1 run=$out/$1 values initial steps every resume=()
  values=$(train_values "$configs/$network.yaml" initial steps evaluate_every)
  read -r initial steps every <<<"$values"
  local command=(mpirun -n "$processes" "$bninception" train "$configs/$network.yaml" --out "$run" --set precision=bf16
    --set train.parts=8 --set train.steps=$((steps / 8)) --set train.evaluate_every=$((every / 8))
    --set train.learning_rate.initial="$(calculate "8 * $initial" %g)" --set train.learning_rate.warmup_epochs=5
    --set train.learning_rate.warmup_from="$initial" "${overrides[@]}")
  if [ $plan_only = yes ]; then echo "${command[*]}"; return; fi
  [ ! -d "$run" ] || resume=(--resume)
  "${command[@]}" "${resume[@]}"
}

if [ -z "$processes" ]; then
  run_study experiments/figure2_imagenet/sweep.yaml "$out"
else
  command -v mpirun >/dev/null || fail "there is no mpirun: install Open MPI ('apt-get install openmpi-bin'), then try again."
  for network in "${networks[@]}"; do train_together "$network"; done
  [ $plan_only = yes ] || "$bninception" report "${networks[@]/#/$out/}" --out "$out/report"
fi
