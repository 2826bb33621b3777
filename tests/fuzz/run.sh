#!/usr/bin/env bash
# Feeds mutated files to each reader for a while. A crash, a leak, a hang of 10 s or an allocation of over a gigabyte
# ends with the file that caused it and a failure.
#   usage: run.sh [SECONDS] [NAME...]     default: 15 seconds for each of tar, idx, index, jpeg and config
# Files found to reach new code stay in build/fuzz/corpus, where the next run begins.
# Environment: BN_DATA_ROOT  odd JPEGs and archives below it are among the first inputs.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../experiments/common.sh"
case "${1:-}" in
  -h | --help) print_help ;;
  *) [[ "${1:-15}" =~ ^[1-9][0-9]*$ ]] || fail "unknown argument '$1'; the first one is a number of seconds." ;;
esac
seconds=${1:-15}
[ $# -eq 0 ] || shift
names=("${@:-tar}")
[ $# -gt 0 ] || names=(tar idx index jpeg config)
build=build/fuzz corpus=$PWD/build/fuzz/corpus
data=${BN_DATA_ROOT:-}

copy_seeds() { # copy_seeds NAME FILE...: the first 200 kB of each that is there
  local name=$1 file
  shift
  for file in "$@"; do
    [ ! -f "$file" ] || head -c 200000 "$file" >"$corpus/$name/seed_$(basename "$file")"
  done
}

mkdir -p "$corpus"/{tar,idx,index,jpeg,config}
copy_seeds jpeg "$data"/oddities/*.jpg "$data"/oddities/*.JPEG "$data"/oddities/jpeg-decoder/*.jpg \
  "$data"/oddities/synthetic/*.JPEG
copy_seeds tar "$data"/official-layout-sample/*.tar
copy_seeds config configs/*/*.yaml configs/*/*/*.yaml
tar -c -f "$corpus/tar/seed_made.tar" --format=pax tests/fuzz
printf '\x08\0\0\x08\x03\0\0\0\1\0\0\0\2\0\0\0\2abcd\0\0\x08\1\0\0\0\1\1' >"$corpus/idx/seed_made"
"$build/index_seeds" "$corpus/index"

fuzz() { # fuzz NAME
  local log=$build/$1.log
  BN_FUZZ_READER=$1 "$build/fuzz_readers" "$corpus/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -malloc_limit_mb=1024 -max_len=200000 -print_final_stats=1 -artifact_prefix="$build/$1_" -close_fd_mask=1 >"$log" 2>&1 && {
    printf '%-7s %s inputs, no failure\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    return 0
  }
  tail -n 40 "$log"
  printf '%-7s FAILED\n' "$1"
  return 1
}

failed=0
for name in "${names[@]}"; do fuzz "$name" || failed=1; done
exit $failed
