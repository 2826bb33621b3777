#!/usr/bin/env bash
# Installs what is missing, builds, and trains a small Inception on generated images, without and with batch
# normalisation: a table and a figure in runs/first_look. If BN_DATA_ROOT has MNIST, the paper's Figure 1 too.
#   usage: quickstart.sh [--steps N] [--out DIR] [--cuda]
# --steps: training steps of each network, for a short trial. --cuda: builds the CUDA backend although no GPU is visible.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

out=${root}runs/first_look
steps=1000 overrides=() settings=() figure1=(--seeds 1) phases=4
while [ $# -gt 0 ]; do
  case "$1" in
    --steps)
      [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--steps needs a positive number."
      steps=$2
      # An evaluation at each fifth, so that even a trial has curves.
      overrides=(--set "train.steps=$steps" --set "train.evaluate_every=$(((steps + 4) / 5))")
      figure1+=(--steps "$steps")
      shift 2
      ;;
    --out)
      [ -n "${2:-}" ] || fail "--out needs a folder."
      out=$(from_caller "$2")
      figure1+=(--out "$out/figure1_mnist")
      shift 2
      ;;
    --cuda) cuda=yes settings=(-DBN_CUDA=ON); shift ;;
    -h | --help) print_help ;;
    *) fail "unknown argument '$1'; the options are --steps N, --out DIR and --cuda." ;;
  esac
done
! has_mnist || phases=5
cores=$(nproc)
mkdir -p "$out" 2>/dev/null || fail "the folder $(shown "$out") cannot be made: name another one with --out."

phase=0 begun=0
begin_phase() { phase=$((phase + 1)) begun=$SECONDS; echo "[$phase/$phases] $1"; }
end_phase() { echo "      $((SECONDS - begun)) s"; }

if [ -n "${BNINCEPTION:-}" ]; then
  begin_phase "Packages: skipped, BNINCEPTION names a program"
  begin_phase "Building: skipped as well"
else
  missing=$(bash experiments/install_packages.sh --dry-run run | wc -l)
  if [ "$missing" -eq 0 ]; then
    begin_phase "Packages: skipped, all are installed"
    install_packages # what the CUDA backend needs may be missing
  else
    begin_phase "Packages: $missing are missing; all would be 250 MB to fetch and 1.2 GB on the disk, about 1 minute"
    install_packages
    end_phase
  fi
  begin_phase "Building bninception: about $(((360 / cores + 59) / 60)) minutes on $cores cores, less where it has been built before"
  configure "${settings[@]}"
  compile bninception || fail "the build failed, its lines above say why; the same command goes on where it stopped."
  end_phase
fi

seconds=$((steps / (cores > 1 ? 20 : 10) + 5))
begin_phase "Training two networks of 210,000 weights side by side, $steps steps of 32 images: about $seconds s"
start_training "without BN" configs/quickstart/plain.yaml "$out/plain" --set threads=1 "${overrides[@]}"
start_training "with BN" configs/quickstart/batch_norm.yaml "$out/batch_norm" --set threads=1 "${overrides[@]}"
wait_for_trainings || fail "a training ended early; its last lines above say why."
end_phase

begin_phase "Figure"
write_curves "$out" "$out/plain" "$out/batch_norm"
for network in plain batch_norm; do columns "$out" "$network" 1 step validation_top1 >"$out/$network.tsv"; done
draw experiments/plots/accuracy.gp "$out/figure" "$out/plain.tsv" "$out/batch_norm.tsv"
end_phase

if has_mnist; then
  begin_phase "The paper's Figure 1, as BN_DATA_ROOT has MNIST"
  here=$PWD
  (cd "$caller" && bash "$here/experiments/figure1_mnist/run.sh" "${figure1[@]}")
  end_phase
fi

echo
awk -f experiments/plots/compare_accuracy.awk "$out/plain.tsv" "$out/batch_norm.tsv" | tee "$out/table.md"
echo
columns=$( (stty size </dev/tty | cut -d' ' -f2) 2>/dev/null || true)
[ "${columns:-0}" -gt 0 ] || columns=80
gnuplot -d -c experiments/plots/terminal.gp $((columns < 100 ? columns : 100)) "$out/plain.tsv" "$out/batch_norm.tsv" |
  tr -d '\f' | sed 's/ *$//' | cat -s

program=$(shown "$bninception") configs=$(shown configs/quickstart)
cat <<TEXT
The figure: $(shown "$out/figure.svg") and figure.png. Where to go next:
  $program evaluate $(shown "$out/batch_norm")   scores the network that was trained
  $program config diff $configs/plain.yaml $configs/batch_norm.yaml
  $program train $configs/batch_norm.yaml --set train.learning_rate.initial=0.1 --out runs/mine
  $program --help   every command, with its exit codes
  $(shown experiments)/   one folder for each figure and table of the paper
TEXT
