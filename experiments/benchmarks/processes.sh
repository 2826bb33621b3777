#!/usr/bin/env bash
# Several processes that train together, on this machine: their exchange against MPI's all-reduce, two of them against two
# independent runs and against one process with two threads, what `profile --processes` predicts, and what is gained where
# gradients cross a slow network while others are computed. Prints tables in Markdown.
#   usage: processes.sh [PART...]   parts: exchange scaling model network      default: the first three
# The part model draws processes.svg beside this file. The part network needs root: it makes two namespaces for hosts, and a
# cable between them that carries RATES.
# Quotients are medians of rounds in which what is compared is measured in turns. Leave the machine otherwise alone, or
# as root give the measured programs the first place at its cores: PREFIX="chrt -f 5".
# Environment: BN_DATA_ROOT  the folder with tiny-imagenet
#              PREFIX        stands before each measured program
#              TYPES, ROUNDS, STEPS  of the parts scaling and network ["f32 bf16", 3, 12]
#              RATES         of the part network, as tc writes them ["1gbit 10gbit"]
#              BUILD         a build folder that has been built [build/release]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
parts=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) print_help ;;
    exchange | scaling | model | network) parts+=("$argument") ;;
    *) fail "unknown part '$argument'; there are: exchange scaling model network." ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(exchange scaling model)
build=build/release
[ -z "${BUILD:-}" ] || build=$(from_caller "$BUILD")
[ -n "${BUILD:-}" ] || build_beside_tests bninception benchmark_processes
[ -n "${BN_DATA_ROOT:-}" ] || fail "BN_DATA_ROOT is not set."
read -ra prefix <<<"${PREFIX:-}"
types=${TYPES:-f32 bf16} rounds=${ROUNDS:-3} steps=${STEPS:-12} rates=${RATES:-1gbit 10gbit}
work=$(mktemp -d) hosts=()
clean_up() {
  local host
  for host in "${hosts[@]}"; do ip netns del "$host" || true; done
  rm -rf "$work"
}
trap clean_up EXIT
export OMP_WAIT_POLICY=passive
[ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# logged RUN KEY: the median over the logged steps, without the first.
logged() { grep '"event":"train"' "$work/$1/log.jsonl" | tail -n +2 | sed "s/.*\"$2\":\([^,}]*\).*/\1/" | median; }

exchange() {
  local values
  echo "| floats added, two processes | ordered sum, ms | MPI_Allreduce, ms | quotient | allocations of ours |"
  echo "|---|---|---|---|---|"
  for values in 4096 524288 11180000; do
    "${prefix[@]}" mpirun -n 2 "$build/benchmark_processes" --values $values >"$work/exchange"
    awk '{ v[$1] = $2 } END { printf "| %s | %s | %s | %s | %s |\n", v["bytes"] / 4, v["ordered_ms"], v["all_reduce_ms"], v["quotient"], v["allocations"] }' "$work/exchange"
  done
}

# train RUN PARTS BATCH THREADS TYPE [LAUNCHER...]; `overlap` is distributed.overlap
overlap=where_faster
train() {
  local run=$1
  "${prefix[@]}" "${@:6}" "$build/bninception" train experiments/benchmarks/inception_64.yaml --out "$work/$run" --quiet \
    --set train.parts="$2" --set train.batch="$3" --set threads="$4" --set precision="$5" --set train.steps=$((steps + 1)) \
    --set train.log_every=2 --set train.evaluate_every=1000000 --set train.checkpoint_every=1000000 --set data.workers=1 \
    --set data.cache=decoded --set distributed.overlap=$overlap >/dev/null 2>"$work/$run.err" || { cat "$work/$run.err" >&2; return 1; }
}

scaling() {
  local precision round other both a b apart threads share predicted
  echo "| 64x64 | two processes of one thread, images/s | two independent runs, images/s | weak scaling | one process of two threads, images/s | strong scaling | communication share | predicted step, ms | measured, ms |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for precision in $types; do
    : >"$work/rates"
    for ((round = 0; round < rounds; ++round)); do
      rm -rf "$work/both" "$work/a" "$work/b" "$work/threads"
      train both 2 64 1 "$precision" mpirun -n 2
      train a 1 64 1 "$precision" taskset -c 0 &
      other=$!
      trainings=("$other")
      train b 1 64 1 "$precision" taskset -c 1
      wait "$other"
      trainings=()
      train threads 1 128 2 "$precision"
      both=$(logged both images_per_second)
      a=$(logged a images_per_second)
      b=$(logged b images_per_second)
      threads=$(logged threads images_per_second)
      share=$(logged both communication_share)
      echo "$both $a $b $threads $share" >>"$work/rates"
    done
    "${prefix[@]}" taskset -c 0 "$build/bninception" profile experiments/benchmarks/inception_64.yaml --set train.batch=64 --set threads=1 \
      --set precision="$precision" --steps 4 --json --processes 2 --network memory >"$work/profile"
    both=$(awk '{ print $1 }' "$work/rates" | median) apart=$(awk '{ print $2 + $3 }' "$work/rates" | median)
    threads=$(awk '{ print $4 }' "$work/rates" | median) share=$(awk '{ print $5 }' "$work/rates" | median)
    predicted=$(tr -d ' \n' <"$work/profile" | sed 's/.*"processes":2,"step_ms":\([0-9.]*\).*/\1/')
    echo "| $precision | $(calculate "$both" %.1f) | $(calculate "$apart" %.1f)" \
      "| $(awk '{ print $1 / ($2 + $3) }' "$work/rates" | median) | $(calculate "$threads" %.1f)" \
      "| $(awk '{ print $1 / $4 }' "$work/rates" | median) | $(calculate "100 * $share" %.1f) %" \
      "| $(calculate "$predicted" %.0f) | $(calculate "128000 / $both" %.0f) |"
  done
}

# Two processes of one thread, each on a core and on a host of its own.
network() {
  local rate precision round host
  hosts=(bn$$a bn$$b)
  for host in "${hosts[@]}"; do ip netns add "$host"; done
  ip link add cable netns "${hosts[0]}" type veth peer name cable netns "${hosts[1]}"
  ip -n "${hosts[0]}" address add 10.9.1.1/24 dev cable
  ip -n "${hosts[1]}" address add 10.9.1.2/24 dev cable
  for host in "${hosts[@]}"; do
    ip -n "$host" link set lo up
    ip -n "$host" link set cable up
  done
  # mpirun calls the agent in place of ssh: agent [OPTIONS] HOST COMMAND...
  cat >"$work/agent" <<AGENT
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do shift; done
shift
exec ip netns exec ${hosts[1]} unshare --uts /bin/sh -c "hostname host-b; exec taskset -c 1 \$*"
AGENT
  cat >"$work/launch" <<LAUNCH
#!/bin/sh
exec ip netns exec ${hosts[0]} unshare --uts /bin/sh -c 'hostname host-a; exec taskset -c 0 mpirun "\$@"' mpirun \\
  --bind-to none -H 10.9.1.1:1,10.9.1.2:1 --mca plm_rsh_agent $work/agent -x OMPI_ALLOW_RUN_AS_ROOT \\
  -x OMPI_ALLOW_RUN_AS_ROOT_CONFIRM -x OMP_WAIT_POLICY -x BN_DATA_ROOT "\$@"
LAUNCH
  chmod +x "$work/agent" "$work/launch"
  echo "| cable | 64x64 | exchange behind computing, images/s | after it, images/s | quotient (range) | communication share, behind | after |"
  echo "|---|---|---|---|---|---|---|"
  for rate in $rates; do
    for host in "${hosts[@]}"; do
      ip netns exec "$host" tc qdisc replace dev cable root tbf rate "$rate" burst 256kb latency 50ms
    done
    for precision in $types; do
      : >"$work/rates"
      for ((round = 0; round < rounds; ++round)); do
        for overlap in always never; do
          rm -rf "${work:?}/$overlap"
          train $overlap 2 64 1 "$precision" "$work/launch"
        done
        echo "$(logged always images_per_second) $(logged never images_per_second)" \
          "$(logged always communication_share) $(logged never communication_share)" >>"$work/rates"
      done
      awk '{ print $1 / $2 }' "$work/rates" | sort -g >"$work/quotients"
      echo "| $rate | $precision | $(calculate "$(awk '{ print $1 }' "$work/rates" | median)" %.0f)" \
        "| $(calculate "$(awk '{ print $2 }' "$work/rates" | median)" %.0f)" \
        "| $(calculate "$(median <"$work/quotients")" %.2f) ($(calculate "$(head -n 1 "$work/quotients")" %.2f) to $(calculate "$(tail -n 1 "$work/quotients")" %.2f))" \
        "| $(calculate "100 * $(awk '{ print $3 }' "$work/rates" | median)" %.1f) % | $(calculate "100 * $(awk '{ print $4 }' "$work/rates" | median)" %.1f) % |"
    done
  done
}

# The paper's workers: each computes 32 images of 224x224, then all exchange. Efficiency is the time of a step without the
# exchange over its time.
model() {
  local network
  : >"$work/model.tsv"
  for network in 1GbE 10GbE 25GbE 100GbE; do
    "${prefix[@]}" "$build/bninception" profile experiments/benchmarks/inception_224.yaml --steps 3 --processes 4096 \
      --network $network | awk -v network=$network '$1 ~ /^[0-9]+$/ && $7 ~ /^[0-9.]+$/ { print network, $1, $5, $7 }' >>"$work/model.tsv"
    printf '\n\n' >>"$work/model.tsv"
  done
  gnuplot -c experiments/benchmarks/processes.gp svg experiments/benchmarks/processes.svg "$work/model.tsv"
  echo "| processes | 1GbE | 10GbE | 25GbE | 100GbE |"
  echo "|---|---|---|---|---|"
  awk 'NF { if (!($2 in row)) { order[++rows] = $2 } row[$2] = row[$2] " | " $4 " %" }
       END { for (i = 1; i <= rows; ++i) print "| " order[i] row[order[i]] " |" }' "$work/model.tsv"
}

echo "Measured on $(getconf _NPROCESSORS_ONLN) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), load $(cut -d' ' -f1 /proc/loadavg)."
for part in "${parts[@]}"; do
  echo
  "$part"
done
