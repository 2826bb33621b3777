#!/usr/bin/env bash
# Proves and measures the CUDA backend on this machine: an NVIDIA driver, CUDA 13 and cuDNN 9 are all it needs. Writes
# report.json, as it goes, and report.md. Run it where bundle.sh's file was unpacked.
#   usage: run.sh [--data DIR] [--out DIR] [--cpu-only] [SECTION...]
# --data: a folder with tiny-imagenet-shards, for a training run on real images. --cpu-only: the sections that need no
# GPU. Sections: operations training determinism batch_norm steps; all by default.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$PWD/gpu_report data='' device=cuda
sections=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --data) data=$(realpath "$2"); shift ;;
    --out) out=$(realpath -m "$2"); shift ;;
    --cpu-only) device=cpu ;;
    *) sections+=("$1") ;;
  esac
  shift
done
if [ ${#sections[@]} -eq 0 ]; then
  sections=(operations training determinism batch_norm steps)
  [ $device = cpu ] && sections=(training determinism)
fi
mkdir -p "$out"
cd "$out" || exit 1

# CUDA's libraries: where the loader looks, in the toolkit's folder, or in a Python environment.
python=$(command -v python3)
cuda_libraries=$(
  ls -d /usr/local/cuda/lib64 /usr/local/cuda/lib 2>/dev/null
  [ -n "$python" ] && "$python" -c 'import glob, sys
for path in sys.path:
    for folder in glob.glob(path + "/nvidia/*/lib"): print(folder)' 2>/dev/null
)
# program SECONDS NAME ARGUMENTS...: with the libraries it needs, which are not the system's; 124 when time ran out.
program() {
  local seconds=$1 name=$2
  shift 2
  timeout --kill-after=10 "$seconds" \
    env "LD_LIBRARY_PATH=$here/lib:$(echo "$cuda_libraries" | paste -sd:):${LD_LIBRARY_PATH:-}" "$here/bin/$name" "$@"
}

declare -A results  # section -> JSON
report() {
  {
    printf '{\n "machine": "%s",\n "device": "%s",\n "sections": {' "$(uname -sr)" \
      "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1 || echo none)"
    local separator=''
    for section in "${sections[@]}"; do
      [ -n "${results[$section]:-}" ] || continue
      printf '%s\n  "%s": %s' "$separator" "$section" "${results[$section]}"
      separator=,
    done
    printf '\n }\n}\n'
  } >report.json
}
# The last one in a file of JSON, null where there is none.
value() {
  local found
  found=$(grep -o "\"$2\":[^,}]*" "$1" 2>/dev/null | tail -1 | cut -d: -f2 | tr -d ' ')
  echo "${found:-null}"
}

operations() {  # every op against the double-precision reference, whole networks against the CPU
  program 150 test_cuda --gtest_brief=1 --gtest_output=json:operations.tests.json >operations.log 2>&1
  local status=$?
  local tests failures skipped
  tests=$(grep -m1 -o '"tests": [0-9]*' operations.tests.json | grep -o '[0-9]*')
  failures=$(grep -m1 -o '"failures": [0-9]*' operations.tests.json | grep -o '[0-9]*')
  skipped=$(grep -c '"result": "SKIPPED"' operations.tests.json)
  echo "operations: ${tests:-0} tests, ${failures:-?} failed, $skipped skipped (exit $status)"
  grep -E '^\[  FAILED' operations.log | sort -u | head -20
  results[operations]="{\"tests\": ${tests:-0}, \"failures\": ${failures:-null}, \"skipped\": $skipped, \"exit\": $status}"
}

train() {  # train FOLDER CONFIG ARGUMENTS...
  local folder=$1 config=$2
  shift 2
  program 120 bninception train "$here/configs/$config" --quiet --out "$folder" "$@" >>training.log 2>&1
}

training() {  # the same run on both devices; then real images
  local items=() device_here
  for device_here in cpu cuda; do
    [ $device_here = cuda ] && [ $device = cpu ] && continue
    rm -rf "shapes_$device_here"
    train "shapes_$device_here" quickstart/batch_norm.yaml --set device=$device_here --set train.steps=200 \
      --set train.evaluate_every=200
    items+=("\"shapes_$device_here\": {\"exit\": $?, \"loss\": $(value "shapes_$device_here/log.jsonl" loss), \"validation_top1\": $(value "shapes_$device_here/log.jsonl" validation_top1)}")
  done
  if [ -n "$data" ] && [ $device = cuda ]; then
    local precision
    for precision in f32 bf16; do
      rm -rf "tiny_$precision"
      BN_DATA_ROOT=$data train "tiny_$precision" tiny_imagenet/bn_x5.yaml --set device=$device \
        --set precision=$precision --set train.epochs=0 --set train.steps=1000 --set data.workers=8
      items+=("\"tiny_imagenet_$precision\": {\"exit\": $?, \"loss\": $(value "tiny_$precision/log.jsonl" loss), \"validation_top1\": $(value "tiny_$precision/log.jsonl" validation_top1), \"images_per_second\": $(value "tiny_$precision/log.jsonl" images_per_second)}")
    done
  fi
  results[training]="{$(IFS=,; echo "${items[*]}")}"
  echo "training: ${results[training]}"
}

determinism() {  # two runs of a seed, and one that stopped in the middle: the same bits in the last checkpoint
  local run steps verdict=true
  for run in once again stopped; do
    rm -rf "same_$run"
    for steps in 60 120; do
      [ $steps = 60 ] && [ $run != stopped ] && continue
      train "same_$run" quickstart/batch_norm.yaml --set device=$device --set train.steps=$steps \
        --set train.evaluate_every=60 $([ -d "same_$run" ] && echo --resume)
    done
  done
  local last
  last=$(find same_once -name '*120.safetensors' | head -1)
  for run in again stopped; do
    cmp -s "$last" "${last/same_once/same_$run}" || verdict=false
  done
  [ -n "$last" ] || verdict=false
  results[determinism]="{\"same_bits\": $verdict}"
  echo "determinism: the same bits again and after a resume: $verdict"
}

batch_norm() {
  program 120 benchmark_batch_norm_cuda "$here/configs/imagenet/bn_baseline.yaml" --json batch_norm.json \
    >batch_norm.md 2>batch_norm.err
  results[batch_norm]=$(cat batch_norm.json 2>/dev/null || echo null)
  tail -3 batch_norm.md
}

steps() {  # whole training steps on resident data, beside PyTorch's
  local rows=() batch precision
  for batch in 32 256; do
    for precision in tf32 bf16; do
      local settings=(--set precision=bf16)
      [ $precision = tf32 ] && settings=(--set precision=f32 --set cuda.float32_math=tf32)
      if program 60 bninception profile "$here/configs/imagenet/bn_baseline.yaml" --json --steps 20 \
        --set device=cuda --set train.batch=$batch "${settings[@]}" >profile_${precision}_$batch.json 2>>steps.log; then
        rows+=("{\"program\": \"bninception\", \"batch\": $batch, \"precision\": \"$precision\", \"images_per_second\": $(value profile_${precision}_$batch.json images_per_second), \"step_ms\": $(value profile_${precision}_$batch.json step_ms), \"unrecorded_step_ms\": $(value profile_${precision}_$batch.json unrecorded_step_ms)}")
      fi
      [ -n "$python" ] || continue
      local mode
      for mode in eager compile; do
        [ $mode = compile ] && [ $precision = tf32 ] && continue
        local row
        row=$(timeout --kill-after=10 150 "$python" "$here/pytorch_inception.py" "$here/configs/networks/inception.yaml" --batch $batch \
          --precision $precision --mode $mode 2>>steps.log | tail -1)
        [ -n "$row" ] && rows+=("$row")
      done
    done
  done
  results[steps]="[$(IFS=,; echo "${rows[*]}")]"
  printf '%s\n' "${rows[@]}"
}

for section in "${sections[@]}"; do
  SECONDS=0
  $section
  report
  echo "($section: $SECONDS s)"
done

{
  echo "# GPU acceptance: $(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 || echo 'no GPU')"
  echo
  for section in operations training determinism steps; do
    [ -n "${results[$section]:-}" ] && printf '## %s\n\n```json\n%s\n```\n\n' "$section" "${results[$section]//\},/\},$'\n'}"
  done
  [ -f batch_norm.md ] && printf '## batch_norm\n\n' && cat batch_norm.md
} >report.md
