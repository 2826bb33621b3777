#!/usr/bin/env bash
# Training images a second and core: this project's loader, OpenCV's decoder in its place and, where it is installed,
# torchvision, one after the other in each round. Prints a table in Markdown; the figures are medians of the rounds.
#   usage: data_pipeline.sh [ROUNDS] [SECONDS]      default: 3 rounds of 3 seconds for each line
# "a core" is a second of CPU time, so that other programs on the machine disturb the figures little, though not never.
# Environment: BN_DATA_ROOT  the folder with imagenet-fullres and tiny-imagenet
#              BN_DATA       a bn-data that was built elsewhere;  PYTHON  one that has torchvision [/usr/bin/python3]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
export OMP_NUM_THREADS=1
for argument in "$@"; do
  case "$argument" in
    -h | --help) print_help ;;
    *) [[ $argument =~ ^[1-9][0-9]*$ ]] || fail "unknown argument '$argument'; there are two numbers, ROUNDS and SECONDS." ;;
  esac
done
rounds=${1:-3} seconds=${2:-3}
python=${PYTHON:-/usr/bin/python3}
[[ $python != */* ]] || python=$(from_caller "$python")
bn_data=$(from_caller "${BN_DATA:-$PWD/build/release/bn-data}")
[ -n "${BN_DATA:-}" ] || build bn-data
full=${BN_DATA_ROOT:?set it to the folder that holds the data sets}/imagenet-fullres/train-00.tar
tiny=$BN_DATA_ROOT/tiny-imagenet
work=$(mktemp -d)
mkdir "$work/rates"
trap 'rm -rf "$work"' EXIT

"$bn_data" pack folder --train "$full" --resize-shorter 256 --shards 4 --out "$work/resized" >/dev/null
"$bn_data" pack folder --train "$tiny"/train-0?.tar --shards 64 --out "$work/tiny" >/dev/null
has_torchvision=no
"$python" -c 'import torchvision' 2>/dev/null && has_torchvision=yes

ours() { "$bn_data" throughput --seconds "$seconds" "$@"; }
torchvision() { "$python" experiments/benchmarks/torchvision_pipeline.py "$full" --seconds "$seconds" "$@"; }

# measure NAME COMMAND...: notes both rates that the command prints, "W images/s, C a second of CPU time (...".
measure() {
  local name=$1
  shift
  "$@" | sed -n 's,^\([0-9.]*\) images/s\, \([0-9.]*\) a second.*,\1 \2,p' >>"$work/rates/$name"
}

tiny_options=(--kind packed "$work/tiny" --image-size 64 --min-area 0.25)
for ((round = 0; round < rounds; ++round)); do
  measure crop ours "$full"
  measure crop_opencv ours "$full" --decoder opencv
  [ $has_torchvision = no ] || measure crop_torchvision torchvision
  measure distorted ours "$full" --distortion 1
  [ $has_torchvision = no ] || measure distorted_torchvision torchvision --distort
  measure resized ours --kind packed "$work/resized"
  measure tiny ours "${tiny_options[@]}"
  measure tiny_cached ours "${tiny_options[@]}" --cache decoded
  measure one_worker ours "$full" --workers 1
  measure two_workers ours "$full" --workers 2
done
memory=$("$bn_data" throughput "${tiny_options[@]}" --images 1000000 | sed 's/.*; peak memory/peak memory/')

median() { # median NAME COLUMN
  [ -f "$work/rates/$1" ] || { echo 0; return; }
  sort -n -k "$2" "$work/rates/$1" | awk -v column="$2" '{ value[NR] = $column } END { print value[int((NR + 1) / 2)] }'
}
rate() { printf '%.0f' "$(median "$1" 2)"; }
ratio() { # ratio NAME NAME COLUMN: of their medians
  awk -v a="$(median "$1" "$3")" -v b="$(median "$2" "$3")" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'
}

echo "Measured on $(getconf _NPROCESSORS_ONLN) cores, load average $(cut -d ' ' -f 1 /proc/loadavg), medians of $rounds rounds of $seconds s."
echo
echo "| what | images/s a core | to OpenCV's decoder | to torchvision |"
echo "|---|---|---|---|"
echo "| full-size JPEGs, crop and flip at 224 | $(rate crop) | $(ratio crop crop_opencv 2) | $(ratio crop crop_torchvision 2) |"
echo "| the same, with distortion 1 (torchvision: ColorJitter) | $(rate distorted) | | $(ratio distorted distorted_torchvision 2) |"
echo "| packed with --resize-shorter 256, crop and flip at 224 | $(rate resized) | | |"
echo "| Tiny ImageNet 64x64 from packed JPEGs | $(rate tiny) | | |"
echo "| Tiny ImageNet 64x64 from the decoded cache | $(rate tiny_cached) | | |"
echo
echo "Two workers deliver $(ratio two_workers one_worker 1) times the images a second of one, in $(ratio one_worker two_workers 2) times the CPU"
echo "time an image. A million images of the packed Tiny ImageNet: $memory."
