#!/usr/bin/env bash
# Training on the CPU: a step against its convolutions alone, the loader, memory, PyTorch where it is installed, our own
# kernels against a copy, the MNIST net, and how a step's time grows with the batch. Prints tables in Markdown.
#   usage: cpu_training.sh [PART...]   parts: inception pytorch kernels mnist scaling      default: all of them
# Bars are ratios within one run: what is compared is measured in turns or side by side; PyTorch and ours, one right after
# the other. Leave the machine otherwise alone: with a busy core, two threads wait for each other at every op.
# Environment: BN_DATA_ROOT  the folder with imagenette-224, tiny-imagenet and mnist; without it no loader is measured
#              SIZES, TYPES  of the parts inception and pytorch ["224 64", "f32 bf16"]
#              BUILD         a build folder that has been built [build/release];  PYTHON  one with torch [/usr/bin/python3]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
known_parts="inception pytorch kernels mnist scaling"
parts=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) print_help ;;
    inception | pytorch | kernels | mnist | scaling) parts+=("$argument") ;;
    *) fail "unknown part '$argument'; there are: $known_parts." ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || read -ra parts <<<"$known_parts"
build=build/release
[ -z "${BUILD:-}" ] || build=$(from_caller "$BUILD")
python=${PYTHON:-/usr/bin/python3}
[[ $python != */* ]] || python=$(from_caller "$python")
sizes=${SIZES:-224 64} types=${TYPES:-f32 bf16}
[ -n "${BUILD:-}" ] || build_beside_tests bninception benchmark_cpu_training benchmark_cpu_kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=experiments/benchmarks

# value FILE NAME: of a line "NAME VALUE", or of a line of JSON.
value() { awk -v name="$2" '{ gsub(/[",:{}]/, " ") } { for (i = 1; i < NF; ++i) if ($i == name) print $(i + 1) }' "$1"; }
calculate() { awk "BEGIN { printf \"${2:-%.2f}\", $1 }"; }

inception() {
  local size precision batch figures memory loader loaded
  echo "| images | type | images/s | convolutions alone, images/s | step / convolutions | with the loader, images/s | loaded / resident | folded evaluation / forward convolutions | peak memory, MB |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for size in $sizes; do
    for precision in $types; do
      figures=$work/$size-$precision memory=$work/memory loader=$work/loader
      local config=("$here/inception_$size.yaml" --set "precision=$precision")
      "$build/benchmark_cpu_training" step "${config[@]}" --rounds 6 >"$figures"
      "$build/bninception" profile "${config[@]}" --steps 1 --json >"$memory"
      batch=$(value "$figures" batch) loaded="- | -"
      if [ -n "${BN_DATA_ROOT:-}" ]; then
        "$build/benchmark_cpu_training" step --loader "${config[@]}" --rounds 3 >"$loader"
        loaded="$(calculate "1000 * $batch / $(value "$loader" loaded_ms)" %.1f) | $(value "$loader" loader_quotient)"
      fi
      echo "| $size, batch $batch | $precision | $(calculate "1000 * $batch / $(value "$figures" step_ms)" %.1f)" \
        "| $(calculate "1000 * $batch / $(value "$figures" convolutions_ms)" %.1f) | $(value "$figures" step_quotient)" \
        "| $loaded | $(value "$figures" evaluation_quotient)" \
        "| $(calculate "$(value "$memory" peak_resident_bytes) / 1e6" %.0f) |"
    done
  done
  [ -n "${BN_DATA_ROOT:-}" ] || echo "BN_DATA_ROOT is not set: the loader was not measured."
  echo
  echo "| images | type | step, ms | convolutions alone, ms | each repeated, ms | 1x1 weight gradients of one image, against images: least gain | over all | as one product: least gain | over all |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for size in $sizes; do
    for precision in $types; do
      figures=$work/$size-$precision
      echo "| $size | $precision | $(value "$figures" step_ms) | $(value "$figures" convolutions_ms)" \
        "| $(value "$figures" repeated_convolutions_ms) | $(value "$figures" weight_gradient_one_image_least)" \
        "| $(value "$figures" weight_gradient_one_image_all) | $(value "$figures" weight_gradient_product_least)" \
        "| $(value "$figures" weight_gradient_product_all) |"
    done
  done
}

pytorch() {
  if ! "$python" -c 'import torch, yaml' 2>/dev/null; then
    echo "PyTorch is not installed for $python (or PyYAML is not): not measured."
    return
  fi
  local size precision batch figures=$work/pytorch memory=$work/memory
  echo "| images | type | PyTorch, images/s | ours right after | ours / PyTorch | PyTorch's peak memory, MB | ours / PyTorch |"
  echo "|---|---|---|---|---|---|---|"
  for size in $sizes; do
    batch=32 network=configs/networks/inception.yaml
    [ "$size" = 224 ] || { batch=128 network=configs/networks/inception_64.yaml; }
    for precision in $types; do
      "$python" $here/pytorch_inception.py "$network" --batch "$batch" --precision "$precision" --seconds 6 >"$figures"
      "$build/bninception" profile "$here/inception_$size.yaml" --set "precision=$precision" --steps 2 --json >"$memory"
      local rate ours theirs_bytes bytes
      rate=$(value "$figures" images_per_second) ours=$(value "$memory" images_per_second)
      theirs_bytes=$(value "$figures" peak_resident_bytes) bytes=$(value "$memory" peak_resident_bytes)
      echo "| $size, batch $batch | $precision | $(calculate "$rate" %.1f) | $(calculate "$ours" %.1f)" \
        "| $(calculate "$ours / $rate") | $(calculate "$theirs_bytes / 1e6" %.0f) | $(calculate "$bytes / $theirs_bytes") |"
    done
  done
  echo
  "$python" -c 'import torch; print("PyTorch", torch.__version__)'
}

kernels() { "$build/benchmark_cpu_kernels" --threads 2 --only 32x56; }

# Two runs of one thread each, side by side: of resident data, and as `bninception train` runs.
mnist() {
  local name run steps=6000
  echo "| MNIST net | steps/s on resident data, two runs side by side | steps/s of training |"
  echo "|---|---|---|"
  for name in plain batch_norm; do
    local resident="" trained="-"
    for run in 1 2; do
      "$build/bninception" profile configs/mnist/$name.yaml --steps $steps --json >"$work/mnist$run" &
    done
    wait
    for run in 1 2; do resident+=" $(calculate "1000 / $(value "$work/mnist$run" step_ms | head -n 1)" %.0f)"; done
    if [ -n "${BN_DATA_ROOT:-}" ]; then
      for run in 1 2; do
        "$build/bninception" train configs/mnist/$name.yaml --out "$work/$name$run" --quiet --set train.steps=$steps \
          --set train.evaluate_every=$steps --set train.probe.every=$steps --set train.log_every=500 >/dev/null &
      done
      wait
      trained=""
      for run in 1 2; do
        trained+=" $(calculate "$(value "$work/$name$run/log.jsonl" images_per_second | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }') / 60" %.0f)"
      done
    fi
    echo "| $name |$resident |$trained |"
  done
  [ -n "${BN_DATA_ROOT:-}" ] || echo "BN_DATA_ROOT is not set: training was not measured."
}

scaling() {
  local precision batch times=$work/scaling types="f32 bf16"
  echo "| 64x64, batch | f32, 1 thread | f32, 2 threads | bf16, 1 thread | bf16, 2 threads |"
  echo "|---|---|---|---|---|"
  for precision in $types; do
    "$build/benchmark_cpu_training" scaling $here/inception_64.yaml --set precision="$precision" --rounds 3 |
      sed "s/^/$precision /" >>"$times"
  done
  for batch in 8 16 32 64 128 256; do
    awk -v batch=$batch '$3 == batch { ms[$1, $2] = $4 } END {
      printf "| %d |", batch
      for (p = 1; p <= 2; ++p) for (t = 1; t <= 2; ++t) {
        v = ms[p == 1 ? "f32" : "bf16", t]
        printf " %s ms (%.2f an image) |", v, v / batch
      }
      print ""
    }' "$times"
  done
}

echo "Measured on $(getconf _NPROCESSORS_ONLN) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)."
for part in "${parts[@]}"; do
  echo
  "$part"
done
