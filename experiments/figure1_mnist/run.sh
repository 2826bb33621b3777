#!/usr/bin/env bash
# Figure 1 of the paper: the MNIST network without and with batch normalisation, side by side on one thread each.
# Table, figure and curves go to runs/figure1_mnist. Needs MNIST under BN_DATA_ROOT.
#   usage: run.sh [--seeds "1 2 3"] [--steps N] [--out DIR]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure1_mnist
seeds="1 2 3"
overrides=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds)
      [[ "${2:-}" =~ ^[0-9]+(\ [0-9]+)*$ ]] || fail "--seeds needs numbers with a blank between them, such as \"1 2 3\"."
      seeds=$2
      shift 2
      ;;
    --steps)
      [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--steps needs a positive number."
      overrides=(--set "train.steps=$2" --set "train.evaluate_every=$((($2 + 4) / 5))"
                 --set "train.probe.every=$((($2 + 19) / 20))")
      shift 2
      ;;
    --out)
      [ -n "${2:-}" ] || fail "--out needs a folder."
      out=$(from_caller "$2")
      shift 2
      ;;
    -h | --help) print_help ;;
    *) fail "unknown argument '$1'; the options are --seeds \"1 2 3\", --steps N and --out DIR." ;;
  esac
done
need_mnist
build_programs

mkdir -p "$out"
for seed in $seeds; do
  echo "seed $seed"
  for network in plain batch_norm; do
    start_training "$network" "configs/mnist/$network.yaml" "$out/${network}_seed$seed" \
      --set threads=1 --set "train.seed=$seed" "${overrides[@]}"
  done
  wait_for_trainings || fail "a training ended early; its last lines above say why."
done

runs=()
for network in plain batch_norm; do
  for seed in $seeds; do runs+=("$out/${network}_seed$seed"); done
done
write_curves "$out" "${runs[@]}"
for network in plain batch_norm; do
  curves=()
  for seed in $seeds; do
    curves+=("$out/${network}_seed$seed.tsv")
    columns "$out" "$network" "$seed" step validation_top1 >"${curves[-1]}"
  done
  # Mean, lowest and highest value at each step that all seeds have.
  awk '
    {
      if (!($1 in count)) { order[++steps] = $1; lowest[$1] = highest[$1] = $2 }
      if ($2 < lowest[$1]) lowest[$1] = $2
      if ($2 > highest[$1]) highest[$1] = $2
      ++count[$1]
      sum[$1] += $2
    }
    END {
      for (i = 1; i <= steps; ++i) {
        step = order[i]
        if (count[step] == ARGC - 1) print step "\t" sum[step] / (ARGC - 1) "\t" lowest[step] "\t" highest[step]
      }
    }' "${curves[@]}" >"$out/accuracy_$network.tsv"
  columns "$out" "$network" "${seeds%% *}" step percentile_15 percentile_50 percentile_85 >"$out/probe_$network.tsv"
done
draw experiments/figure1_mnist/figure.gp "$out/figure" "$out"

echo
{
  echo "| network | seeds | final test accuracy: mean | lowest | highest | steps/s, one thread |"
  echo "|---|---|---|---|---|---|"
  for network in plain batch_norm; do
    # Steps a second over the whole run, evaluations included, from the last record of each seed.
    for seed in $seeds; do columns "$out" "$network" "$seed" step seconds end; done |
      awk -v network="$network" '
        FILENAME == "-" { steps += $1; seconds += $2; ++seeds; next }
        { mean = $2; lowest = $3; highest = $4 }
        END {
          printf "| %s | %d | %.2f %% | %.2f %% | %.2f %% | %.0f |\n", network == "plain" ? "without BN" : "with BN", \
                 seeds, 100 * mean, 100 * lowest, 100 * highest, steps / seconds
        }' "$out/accuracy_$network.tsv" -
  done
  # Seed by seed, with Student's interval.
  for seed in $seeds; do
    echo "$(columns "$out" batch_norm "$seed" validation_top1 | tail -n 1) $(columns "$out" plain "$seed" validation_top1 | tail -n 1)"
  done | awk -v quantiles="$student_quantiles" '
    BEGIN { split(quantiles, quantile, " ") }
    { difference[NR] = 100 * ($1 - $2); mean += difference[NR] }
    END {
      if (NR < 2 || NR > 10) exit
      mean /= NR
      for (i = 1; i <= NR; ++i) square += (difference[i] - mean) ^ 2
      half = quantile[NR - 1] * sqrt(square / (NR - 1) / NR)
      printf "\nWith BN the final accuracy is %.2f points higher, 95 %% interval %.2f to %.2f.\n", mean, mean - half, mean + half
    }'
} | tee "$out/table.md"
echo
echo "The figure: $(shown "$out/figure.svg") and figure.png."
