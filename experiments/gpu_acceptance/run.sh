#!/usr/bin/env bash
# Proves and measures the CUDA backend on this machine: all it needs are an NVIDIA driver, the libraries of the CUDA that
# bundle.sh built with, 12 or 13 (cuBLASLt, NVRTC), and cuDNN 9.8 or a later 9. Writes report.json and report.md, as it goes. Run it
# where bundle.sh's file was unpacked.
#   usage: run.sh [--call 1|2] [--data DIR] [--out DIR] [--seconds N] [--cpu-only] [SECTION...]
# --call: half of it, for a machine that is lent for a few minutes at a time; 1 has what matters most. --out: gpu_report
# by default, gpu_report_N for a call. --data: a folder with tiny-imagenet-shards, for a training run on real images.
# --seconds: for all together, 345 a call by default; what they do not suffice for is left out. --cpu-only: the sections
# that need no GPU. Sections, by importance: operations determinism steps | batch_norm training more_steps; each has a
# limit of its own, so that none takes the time of the next.
# Exit status: 0 if everything ran and passed, 1 if something failed or was left out, 2 for a wrong argument, 6 if this
# machine lacks a library, a driver or a GPU. Bars that were missed are in the report only.
# shellcheck disable=SC2317  # the sections are called by name
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) caller=$PWD
out='' data='' device=cuda limit='' call=''
cpu_sections=(determinism training)
first_sections=(operations determinism steps)
second_sections=(batch_norm training more_steps)
declare -A section_limits=([operations]=110 [determinism]=45 [steps]=185 [batch_norm]=90 [training]=100 [more_steps]=150)
sections=()

refuse() {
  echo "run.sh: $1" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help)
      awk 'NR == 1 { next } !/^#/ || /^# shellcheck/ { exit } { sub(/^# ?/, ""); print }' "$0"
      exit 0
      ;;
    --call | --data | --out | --seconds)
      [ $# -gt 1 ] || refuse "$1 wants a value."
      case "$1" in
        --data) data=$(realpath -e "$2" 2>/dev/null) || refuse "there is no folder $2." ;;
        --call) call=$2 ;;
        --out) out=$(realpath -m "$2") ;;
        --seconds) limit=$2 ;;
      esac
      shift ;;
    --cpu-only) device=cpu ;;
    -*) refuse "unknown option '$1'; the options are --call 1|2, --data DIR, --out DIR, --seconds N and --cpu-only." ;;
    *) sections+=("$1") ;;
  esac
  shift
done
known=("${first_sections[@]}" "${second_sections[@]}") chosen=("${known[@]}")
case $call in
  '') : "${limit:=690}" "${out:=$PWD/gpu_report}" ;;
  1 | 2)
    : "${limit:=345}" "${out:=$PWD/gpu_report_$call}"
    if [ "$call" = 1 ]; then chosen=("${first_sections[@]}"); else chosen=("${second_sections[@]}"); fi
    ;;
  *) refuse "--call wants 1 or 2, not '$call'." ;;
esac
[[ $limit =~ ^[1-9][0-9]*$ ]] || refuse "--seconds wants a whole number, not '$limit'."
[ $device = cuda ] || known=("${cpu_sections[@]}") chosen=("${cpu_sections[@]}")
[ ${#sections[@]} -gt 0 ] || sections=("${chosen[@]}")
for section in "${sections[@]}"; do
  [[ " ${known[*]} " == *" $section "* ]] || refuse "unknown section '$section'; here there are: ${known[*]}."
done
mkdir -p "$out"
cd "$out" || exit 1
# Nothing of an earlier run may pass for this one's.
rm -rf report.{json,md} operations.log training.log shapes_{cpu,cuda} tiny_{f32,bf16} same_{once,again,stopped} \
  batch_norm.{json,md,err} steps.log profile_*.json plan_*.json model.md

section_end=$limit # in seconds since the start
# limited SECONDS COMMAND...: 124 or 137 when that time ran out, or the section's, or all there is; 125 when none was left
# to begin.
limited() {
  local seconds=$1 end=$((section_end < limit ? section_end : limit)) left
  left=$((end - SECONDS))
  shift
  [ $left -gt 0 ] || return 125
  timeout --kill-after=3 $((seconds < left ? seconds : left)) "$@"
}

gpu="no GPU"
[ $device = cpu ] || gpu=$(limited 20 nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1)
gpu=${gpu:-unknown}

# CUDA's libraries: where the loader looks, in the toolkit's folder, or in a Python environment. Their names end with the
# major version that the programs were built with.
python=$(command -v python3)
cuda=$(ldd "$here/bin/bn_cuda.so" 2>/dev/null | grep -o 'libcublasLt[.]so[.][0-9]*' | head -1)
cuda=${cuda##*.}
cuda_libraries=$(
  ls -d "/usr/local/cuda-$cuda"*/lib64 /usr/local/cuda/lib64 /usr/local/cuda/lib 2>/dev/null
  [ -z "$python" ] || limited 20 "$python" -c 'import glob, sys
for path in sys.path:
    for folder in glob.glob(path + "/nvidia/*/lib"): print(folder)' 2>/dev/null
)
library_path=$here/lib:$(echo "$cuda_libraries" | paste -sd:)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
# program SECONDS NAME ARGUMENTS...: with the libraries it needs, which are not the system's.
program() {
  local seconds=$1 name=$2
  shift 2
  limited "$seconds" env "LD_LIBRARY_PATH=$library_path" "$here/bin/$name" "$@"
}
# The C++ library is the system's, unless that is older than the programs need.
if ! program 20 bninception --help >/dev/null 2>&1; then
  library_path=$here/lib:$here/lib/fallback:${library_path#*:}
  if ! why=$(program 20 bninception --help 2>&1); then
    echo "run.sh: the programs do not start here: $why" >&2
    exit 6
  fi
fi
if [ $device = cuda ]; then
  missing=$(LD_LIBRARY_PATH=$library_path ldd "$here"/bin/* 2>/dev/null | awk '/=> not found/ {print $1}' | sort -u | paste -sd' ')
  if [ -n "$missing" ]; then
    echo "run.sh: the loader does not find $missing here: install the libraries of CUDA $cuda and cuDNN 9, use a python3" \
      "whose PyTorch is for CUDA $cuda, or name their folders in LD_LIBRARY_PATH." >&2
    exit 6
  fi
  # The program itself says what else a machine lacks. What fails later is for the report.
  why=$(program 60 bninception profile "$here/configs/quickstart/batch_norm.yaml" --set device=cuda --steps 1 2>&1)
  if [ $? -eq 6 ]; then
    echo "run.sh: this machine cannot run the programs: $(tail -1 <<<"$why")" >&2
    exit 6
  fi
fi

problems=()      # what failed or was left out
bars=()          # "- met: ...", "- missed: ...", "- not measured: ..."
declare -A results  # section -> JSON
# check WHAT STATUS: keeps what went wrong, and returns the status.
check() {
  case $2 in
    0) ;;
    124 | 137) problems+=("$1: stopped, its time ran out") ;;
    125) problems+=("$1: left out, no time remained") ;;
    *) problems+=("$1: failed with exit status $2") ;;
  esac
  return "$2"
}
# Prints the text as a JSON string.
quoted() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\\"' | tr '[:cntrl:]' ' ')"; }
joined() {
  local IFS=,
  echo "$*"
}
# The last one in a file of JSON, null where there is none.
value() {
  local found
  found=$(grep -o "\"$2\":[^,}]*" "$1" 2>/dev/null | tail -1 | cut -d: -f2 | tr -d ' ')
  echo "${found:-null}"
}

report() {  # report FINISHED
  local section problem separator='' listed=()
  for problem in "${problems[@]}"; do listed+=("$(quoted "$problem")"); done
  {
    printf '{\n "machine": %s,\n "device": %s,\n "finished": %s,\n "seconds": %s,\n "problems": [%s],\n "sections": {' \
      "$(quoted "$(uname -sr), $(nproc) cores")" "$(quoted "$gpu")" "$1" "$SECONDS" "$(joined "${listed[@]}")"
    for section in "${sections[@]}"; do
      [ -n "${results[$section]:-}" ] || continue
      printf '%s\n  "%s": %s' "$separator" "$section" "${results[$section]}"
      separator=,
    done
    printf '\n }\n}\n'
  } >report.json
  {
    printf '# GPU acceptance: %s\n' "$gpu"
    [ "$1" = true ] || printf '\nNot finished.\n'
    printf '\n## Problems\n\n'
    if [ ${#problems[@]} -gt 0 ]; then printf -- '- %s\n' "${problems[@]}"; else echo none; fi
    if [ ${#bars[@]} -gt 0 ]; then printf '\n## Bars\n\n' && printf '%s\n' "${bars[@]}"; fi
    for section in operations determinism training; do
      [ -z "${results[$section]:-}" ] ||
        printf '\n## %s\n\n```json\n%s\n```\n' "$section" "${results[$section]//\},/\},$'\n'}"
    done
    if [ ${#table_rows[@]} -gt 0 ]; then printf '\n## steps\n\n' && steps_table; fi
    if [ -s model.md ]; then printf '\n## model\n\n' && cat model.md; fi
    if [ -n "${results[batch_norm]:-}" ]; then printf '\n## batch_norm\n\n' && grep -v '^- ' batch_norm.md; fi
  } >report.md
}

operations() {  # every op against the double-precision reference, whole networks against the CPU
  program 110 test_cuda >operations.log 2>&1
  local status=$? passed failed skipped
  check operations "$status"
  # Each test that ended has a line with its time.
  passed=$(grep -c '^\[       OK \].* ms)$' operations.log)
  failed=$(grep -c '^\[  FAILED  \].* ms)$' operations.log)
  skipped=$(grep -c '^\[  SKIPPED \].* ms)$' operations.log)
  [ "$failed" -eq 0 ] || problems+=("operations: $failed tests failed")
  [ "$status" -eq 125 ] || [ "$passed" -gt "$skipped" ] || problems+=("operations: most tests were skipped")
  echo "operations: $passed passed, $failed failed, $skipped skipped (exit $status)"
  grep -E '^\[  FAILED' operations.log | sort -u | head -20
  results[operations]="{\"passed\": $passed, \"failed\": $failed, \"skipped\": $skipped, \"exit\": $status}"
}

train() {  # train SECONDS FOLDER CONFIG ARGUMENTS...
  local seconds=$1 folder=$2 config=$3
  shift 3
  program "$seconds" bninception train "$here/configs/$config" --quiet --out "$folder" "$@" >>training.log 2>&1
}

training() {  # the same run on both devices; then real images
  local items=() on precision status log
  for on in cpu cuda; do
    [ $on = cuda ] && [ $device = cpu ] && continue
    train 90 shapes_$on quickstart/batch_norm.yaml --set device=$on --set train.steps=200 --set train.evaluate_every=200
    status=$? log=shapes_$on/log.jsonl
    check "training on generated shapes, $on" $status
    items+=("\"shapes_$on\": {\"exit\": $status, \"loss\": $(value $log loss), \"validation_top1\": $(value $log validation_top1)}")
  done
  if [ -n "$data" ] && [ $device = cuda ]; then
    for precision in f32 bf16; do
      BN_DATA_ROOT=$data train 60 tiny_$precision tiny_imagenet/bn_x5.yaml --set device=cuda \
        --set precision=$precision --set train.epochs=0 --set train.steps=1000 --set data.workers=8
      status=$? log=tiny_$precision/log.jsonl
      check "training on Tiny ImageNet, $precision" $status
      items+=("\"tiny_imagenet_$precision\": {\"exit\": $status, \"loss\": $(value $log loss), \"validation_top1\": $(value $log validation_top1), \"images_per_second\": $(value $log images_per_second)}")
    done
  fi
  results[training]="{$(joined "${items[@]}")}"
  echo "training: ${results[training]}"
}

determinism() {  # two runs of a seed, and one that stopped in the middle: the same bits in the last checkpoint
  local run steps resume verdict=true
  for run in once again stopped; do
    for steps in 60 120; do
      [ $steps = 60 ] && [ $run != stopped ] && continue
      resume=()
      [ ! -d same_$run ] || resume=(--resume)
      train 60 same_$run quickstart/batch_norm.yaml --set device=$device --set train.steps=$steps \
        --set train.evaluate_every=60 "${resume[@]}"
      check "determinism, $run, $steps steps" $? || verdict=null
    done
  done
  if [ $verdict = true ]; then
    local last
    last=$(find same_once -name '*120.safetensors' | head -1)
    for run in again stopped; do
      cmp -s "$last" "${last/same_once/same_$run}" || verdict=false
    done
    [ $verdict = true ] || problems+=("determinism: other bits again, or after a resume")
  fi
  results[determinism]="{\"same_bits\": $verdict}"
  echo "determinism: the same bits again and after a resume: $verdict"
}

batch_norm() {
  program 150 benchmark_batch_norm_cuda "$here/configs/imagenet/bn_baseline.yaml" --json batch_norm.json \
    >batch_norm.md 2>batch_norm.err
  check batch_norm $?
  results[batch_norm]=$(cat batch_norm.json 2>/dev/null || echo null)
  local verdicts
  mapfile -t verdicts < <(grep '^- ' batch_norm.md)
  [ ${#verdicts[@]} -gt 0 ] || verdicts=("- not measured: batch normalisation against a copy and against cuDNN's")
  bars+=("${verdicts[@]}")
  printf '%s\n' "${verdicts[@]}"
}

declare -A speed  # "PROGRAM BATCH PRECISION" -> images a second
step_rows=()      # JSON
table_rows=()     # Markdown

add_step_row() {  # PROGRAM BATCH PRECISION IMAGES_PER_SECOND STEP_MS UNRECORDED_STEP_MS WHY_NOT
  step_rows+=("{\"program\": \"$1\", \"batch\": $2, \"precision\": \"$3\", \"images_per_second\": $4, \"step_ms\": $5, \"unrecorded_step_ms\": $6, \"why_not\": $(quoted "$7")}")
  table_rows+=("| $2 | $3 | $1 | ${4/null/} | ${5/null/} | ${6/null/} | $7 |")
  [ "$4" = null ] || speed["$1 $2 $3"]=$4
  echo "$1, batch $2, $3: $4 images/s $7"
}

our_step() {  # SECONDS CONVOLUTIONS BATCH PRECISION
  local name="bninception, $2 convolutions" file=profile_$2_$4_$3.json why='' status
  local settings=(--set device=cuda --set train.batch="$3" --set cuda.convolutions="$2")
  if [ "$4" = tf32 ]; then settings+=(--set precision=f32 --set cuda.float32_math=tf32); else settings+=(--set precision="$4"); fi
  program "$1" bninception profile "$here/configs/imagenet/bn_baseline.yaml" --json --steps 20 "${settings[@]}" \
    >"$file" 2>steps.err
  status=$?
  cat steps.err >>steps.log
  check "steps, $name, batch $3, $4" $status || why="exit $status $(tail -1 steps.err)"
  add_step_row "$name" "$3" "$4" "$(value "$file" images_per_second)" "$(value "$file" step_ms)" \
    "$(value "$file" unrecorded_step_ms)" "$why"
}

torch_step() {  # SECONDS MODE BATCH PRECISION
  local name="PyTorch, $2" row why='' status
  limited "$1" "$python" "$here/pytorch_peer.py" "$here/configs/networks/inception.json" --batch "$3" \
    --precision "$4" --mode "$2" >steps.row 2>steps.err
  status=$?
  cat steps.err >>steps.log
  check "steps, $name, batch $3, $4" $status || why="exit $status $(tail -1 steps.err)"
  row=$(value steps.row images_per_second)
  add_step_row "$name" "$3" "$4" "$row" "$(value steps.row step_ms)" null "$why"
}

steps_table() {
  printf '%s\n\n' "${torch:-PyTorch is not measured: ${without_torch:-no time remained}}"
  echo '| batch | precision | program | images/s | step, ms | op by op, ms | why not |'
  echo '|---|---|---|---|---|---|---|'
  printf '%s\n' "${table_rows[@]}"
}

step_bar() {  # BATCH FACTOR: ours against torch.compile in bf16
  local ours=${speed["bninception, heuristic convolutions $1 bf16"]:-} theirs=${speed["PyTorch, compile $1 bf16"]:-}
  bars+=("$(awk -v ours="$ours" -v theirs="$theirs" -v factor="$2" -v batch="$1" 'BEGIN {
    bar = "a whole bf16 step at batch " batch " at least " factor " times as quick as torch.compile"
    if (ours == "" || theirs == "") print "- not measured: " bar
    else printf "- %s: %s (%.2f times: %.0f and %.0f images/s)\n",
      (ours >= factor * theirs ? "met" : "missed"), bar, ours / theirs, ours, theirs
  }')")
  echo "${bars[-1]}"
}

torch='' without_torch=''  # its version, or why it is not measured
find_torch() {  # SECTION
  local status
  [ -z "$torch$without_torch" ] || return 0
  if [ -z "$python" ]; then
    without_torch='there is no python3'
  else
    torch=$(limited 60 "$python" -c 'import torch
assert torch.cuda.is_available(), "this PyTorch finds no GPU"
print("PyTorch", torch.__version__)' 2>steps.err)
    status=$?
    case $status in
      124 | 125 | 137) # no time left: the next section tries again
        torch=''
        check "$1, PyTorch" $status || return 0
        ;;
    esac
    if [ $status -ne 0 ]; then
      without_torch=$(tail -1 steps.err)
      without_torch=${without_torch:-exit status $status}
    fi
  fi
  echo "${torch:-PyTorch is not measured: $without_torch}"
}

# The model's table of this GPU, its column "measured" filled; see experiments/benchmarks/gpu_model.
fill_model() {
  local description batch plans=() profiles=()
  description=$(grep -l "\"deviceName\": \"${gpu%%,*}\"" "$here"/gpu_model/devices/*.json 2>/dev/null | head -1)
  [ -n "$description" ] && [ -n "$python" ] || return 0
  for batch in 32 256; do
    [ -s profile_heuristic_bf16_$batch.json ] || continue
    program 30 bninception profile "$here/configs/imagenet/bn_baseline.yaml" --json --plan-only "$description" \
      --set device=cuda --set precision=bf16 --set train.batch=$batch >plan_$batch.json 2>>steps.log || continue
    plans+=(plan_$batch.json) profiles+=(profile_heuristic_bf16_$batch.json)
  done
  [ ${#plans[@]} -eq 0 ] ||
    limited 20 "$python" "$here/gpu_model/model.py" "${plans[@]}" --measured "${profiles[@]}" >model.md 2>>steps.log
}

steps() {  # whole bf16 training steps on resident data beside PyTorch's: what the bars are about, all in one call
  local batch
  for batch in 32 256; do our_step 30 heuristic $batch bf16; done
  fill_model
  report false
  find_torch steps
  if [ -n "$torch" ]; then
    for batch in 32 256; do torch_step 30 eager $batch bf16; done
    for batch in 32 256; do torch_step 70 compile $batch bf16; done
  fi
  step_bar 32 1.2
  step_bar 256 1.0
  rm -f steps.row steps.err
  results[steps]="{\"pytorch\": $(quoted "${torch:-$without_torch}"), \"rows\": [$(joined "${step_rows[@]}")]}"
}

more_steps() {  # engines chosen by measurement, and tf32
  local batch
  for batch in 32 256; do our_step 40 measured $batch bf16; done
  for batch in 32 256; do our_step 30 heuristic $batch tf32; done
  find_torch more_steps
  [ -z "$torch" ] || for batch in 32 256; do torch_step 30 eager $batch tf32; done
  rm -f steps.row steps.err
  results[more_steps]="{\"rows\": [$(joined "${step_rows[@]}")]}"
}

report false
for section in "${sections[@]}"; do
  begin=$SECONDS
  section_end=$((SECONDS + section_limits[$section]))
  $section
  report false
  echo "($section: $((SECONDS - begin)) s)"
done
report true
echo "${out#"$caller"/}/report.md"
[ ${#problems[@]} -gt 0 ] || exit 0
printf 'problem: %s\n' "${problems[@]}"
exit 1
