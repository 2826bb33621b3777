#!/usr/bin/env bash
# Prints the days that each training of a list of configurations would take on each GPU of devices/, by model.py: the
# predicted time of a step, times the steps. A configuration whose steps have several parts (train.parts) is trained by as
# many GPUs of one machine. Evaluations and the decoding of images are not counted. Needs the CUDA build, and neither a GPU
# nor a driver.
#   usage: days.sh CONFIG...
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../common.sh"
take_no_options "$@"
[ -n "${1:-}" ] || fail "name the configurations, such as configs/imagenet/bn_x5.yaml."
here=experiments/benchmarks/gpu_model
devices=("$here"/devices/*.json)
plan=$(mktemp)
trap 'rm -f "$plan"' EXIT

echo "| network | steps |$(sed -n 's/.*"deviceName": *"NVIDIA \([^"]*\)".*/ \1 |/p' "${devices[@]}" | tr -d '\n')"
echo "|---|---|$(printf -- '---|%.0s' "${devices[@]}")"
for config in "$@"; do
  config=$(from_caller "$config")
  values=$(train_values "$config" steps parts)
  read -r steps gpus <<<"$values"
  row="| $(basename "$config" .yaml) | $steps |"
  for device in "${devices[@]}"; do
    "$bninception" profile "$config" --set device=cuda --set precision=bf16 --plan-only "$device" --json >"$plan"
    row+=$(python3 $here/model.py --seconds "$plan" "$gpus" | awk -v steps="$steps" '
      { days = $1 * steps / 86400; printf (days < 0.1 ? " %.3f |" : " %.2f |"), days }')
  done
  echo "$row"
done
