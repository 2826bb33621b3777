#!/usr/bin/env bash
# Training on the CPU: a step against its convolutions alone, the loader, memory, PyTorch, our own kernels against a copy,
# the MNIST net, and how a step's time grows with the batch. Prints tables in Markdown; the part scaling draws scaling.svg
# beside this file.
#   usage: cpu_training.sh [PART...]   parts: inception pytorch kernels mnist scaling      default: all of them
# Bars are ratios within one run: what is compared is measured in turns or side by side. PyTorch comes from PyPI into
# .cache/pytorch (6 GB with its libraries for GPUs). It runs eagerly and compiled; ours is compared with the better of both.
# Leave the machine otherwise alone: with a busy core, two threads wait for each other at every op.
# Environment: BN_DATA_ROOT  the folder with imagenette-224, tiny-imagenet and mnist; without it no loader is measured
#              SIZES, TYPES  of the parts inception and pytorch ["224 64", "f32 bf16"];  ROUNDS  of the part pytorch [3]
#              BUILD         a build folder that has been built [build/release];  PYTHON  another one with torch and PyYAML
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
python=${PYTHON:-}
[[ $python != */* ]] || python=$(from_caller "$python")
rounds=${ROUNDS:-3}
sizes=${SIZES:-224 64} types=${TYPES:-f32 bf16}
[ -n "${BUILD:-}" ] || build_beside_tests bninception benchmark_cpu_training benchmark_cpu_kernels
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
here=experiments/benchmarks

# value FILE NAME: of a line "NAME VALUE", or of a line of JSON.
value() { awk -v name="$2" '{ gsub(/[",:{}]/, " ") } { for (i = 1; i < NF; ++i) if ($i == name) print $(i + 1) }' "$1"; }

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

# start_peer NAME OPTION...: PyTorch, warm, waiting for its turns.
start_peer() {
  local name=$1
  shift
  mkfifo "$work/$name.turns" "$work/$name.results"
  "$python" $here/pytorch_peer.py "$@" --turns --seconds 6 <"$work/$name.turns" >"$work/$name.results" 2>"$work/$name.errors" &
  local in out
  exec {in}>"$work/$name.turns" {out}<"$work/$name.results"
  turns[$name]=$in results[$name]=$out
  turn "$name" || { cat "$work/$name.errors" >&2; return 1; }
}
# turn NAME: the next line that the peer prints.
turn() {
  local line
  read -r line <&"${results[$1]}" && echo "$line"
}
end_peers() {
  local name in out
  for name in eager compile; do
    in=${turns[$name]} out=${results[$name]}
    exec {in}>&- {out}<&-
    rm -f "$work/$name".*
  done
  wait
}
declare -A turns results

# Of numbers, a line each: the median; the median, the least and the greatest.
middle() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
spread() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f (%.2f to %.2f)", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[1], v[NR] }'; }

# compare TITLE BAR OPTIONS-OF-PYTORCH -- ARGUMENTS OF bninception profile: a line of the table.
compare() {
  local title=$1 bar=$2 peer=() round name rate best ours figures=$work/ours quotients=$work/quotients
  shift 2
  while [ "$1" != -- ]; do peer+=("$1"); shift; done
  shift
  : >"$quotients"
  local -A rates=([eager]="" [compile]="") bytes=()
  for name in eager compile; do start_peer $name "${peer[@]}" --mode $name >/dev/null; done
  for ((round = 0; round < rounds; ++round)); do
    best=0
    for name in eager compile; do
      echo >&"${turns[$name]}"
      turn $name >"$work/turn"
      rate=$(value "$work/turn" images_per_second) bytes[$name]=$(value "$work/turn" peak_resident_bytes)
      rates[$name]+="$rate"$'\n'
      best=$(calculate "$rate > $best ? $rate : $best" %.6g)
    done
    "$build/bninception" profile "$@" --json >"$figures"
    ours+="$(value "$figures" images_per_second)"$'\n'
    calculate "$(value "$figures" images_per_second) / $best" '%.4f\n' >>"$quotients"
  done
  end_peers
  local least=${bytes[eager]}
  [ "${bytes[compile]}" -ge "$least" ] || least=${bytes[compile]}
  echo "| $title | $(printf %s "${rates[eager]}" | middle) | $(printf %s "${rates[compile]}" | middle) | $(printf %s "$ours" | middle)" \
    "| $(spread <"$quotients") | $bar | $(calculate "$least / 1e6" %.0f) | $(calculate "$(value "$figures" peak_resident_bytes) / $least") |"
}

pytorch() {
  if [ -z "$python" ]; then
    python=.cache/pytorch/bin/python
    python_environment .cache/pytorch torch==2.15.0 numpy pyyaml || fail "PyTorch could not be fetched from PyPI."
  fi
  local size precision batch network name
  echo "| images/s, medians of $rounds turns | PyTorch, eager | compiled | ours | ours / the better one (range) | bar | PyTorch's peak memory, MB | ours / PyTorch's |"
  echo "|---|---|---|---|---|---|---|---|"
  for size in $sizes; do
    batch=32 network=configs/networks/inception.yaml
    [ "$size" = 224 ] || { batch=128 network=configs/networks/inception_64.yaml; }
    for precision in $types; do
      local ours=("$here/inception_$size.yaml" --set "precision=$precision")
      compare "training, $size, batch $batch, $precision" "$([ "$precision" = f32 ] && echo 2.0 || echo 1.9)" \
        "$network" --batch "$batch" --precision "$precision" -- "${ours[@]}" --steps $((2000 / batch / (size == 224 ? 8 : 1)))
      compare "folded evaluation, $size, batch $batch, $precision" 1.9 \
        "$network" --batch "$batch" --precision "$precision" --evaluate -- \
        "${ours[@]}" --evaluation --steps $((6000 / batch / (size == 224 ? 8 : 1)))
    done
  done
  for name in none batch; do
    compare "MNIST net, normalization $name, batch 60, one thread, f32" "4 times eager" \
      configs/networks/mnist_mlp.yaml --batch 60 --classes 10 --threads 1 --normalization $name -- \
      "configs/mnist/$([ $name = none ] && echo plain || echo batch_norm).yaml" --steps 20000
  done
  echo
  echo "$("$python" -c 'import torch; print("PyTorch", torch.__version__)'); ours: $("$build/bninception" --version | tr '\n' ' ')"
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

# The figure has a block for each size, type and number of threads.
scaling() {
  local size precision times=$work/scaling lines=$work/scaling.tsv
  for size in $sizes; do
    local batches=(1 2 4 8 16 32)
    [ "$size" = 224 ] || batches+=(64 128 256)
    for precision in $types; do
      "$build/benchmark_cpu_training" scaling $here/inception_"$size".yaml --set precision="$precision" --rounds 3 \
        --batch "${batches[@]}" | sed "s/^/$size $precision /" >>"$times"
    done
  done
  echo "| images, batch | f32, 1 thread, ms an image | 2 threads | bf16, 1 thread | 2 threads | memory of the plan, MB: f32 | bf16 |"
  echo "|---|---|---|---|---|---|---|"
  awk '{ key = $1 " " $4; if (!(key in seen)) { order[++rows] = key; seen[key] = 1 }
         ms[key, $2, $3] = sprintf("%.2f", $5 / $4); mb[key, $2] = $6 }
       END { for (i = 1; i <= rows; ++i) { k = order[i]; split(k, p, " ")
         printf "| %s, %s | %s | %s | %s | %s | %s | %s |\n", p[1], p[2], ms[k, "f32", 1], ms[k, "f32", 2],
           ms[k, "bf16", 1], ms[k, "bf16", 2], mb[k, "f32"], mb[k, "bf16"] } }' "$times"
  awk '{ block = $1 " " $2 " " $3; if (block != last) print (NR > 1 ? "\n\n" : "") "# " block
         last = block; print $4, 1e3 * $4 / $5 }' "$times" >"$lines"
  [ "$sizes $types" != "224 64 f32 bf16" ] || gnuplot -c $here/scaling.gp svg $here/scaling.svg "$lines"
}

echo "Measured on $(getconf _NPROCESSORS_ONLN) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)."
for part in "${parts[@]}"; do
  echo
  "$part"
done
