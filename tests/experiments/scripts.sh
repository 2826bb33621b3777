#!/usr/bin/env bash
# Tests what single studies' scripts say about their arguments and about a protocol that has changed. What all scripts promise
# is tested by tests/sweep/scripts_test.cpp.
#   usage: scripts.sh SOURCES PROGRAM
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$2" bninception # without CUDA's module beside it, so that no GPU's days are predicted
export BNINCEPTION=$folder/bninception

# expect STATUS TEXT COMMAND...: the command ends so, and its output contains the text.
expect() {
  local expected=$1 text=$2 status=0 said
  shift 2
  said=$("$@" 2>&1 </dev/null) || status=$?
  if [ $status != "$expected" ] || [[ $said != *"$text"* ]]; then
    printf '%s\nstatus %s, expected %s\n%s\nexpected:\n%s\n' "$*" $status "$expected" "$said" "$text" >&2
    exit 1
  fi
}

imagenet=$1/experiments/figure2_imagenet/run.sh
expect 2 "run.sh: --together needs the number of processes: 1, 2, 4 or 8." bash "$imagenet" --together 3
expect 0 "--set train.parts=8 --set train.steps=750000 --set train.evaluate_every=5000 --set train.learning_rate.initial=0.36 \
--set train.learning_rate.warmup_epochs=5 --set train.learning_rate.warmup_from=0.045 --set device=cuda" \
  bash "$imagenet" --together 8 --dry-run --set device=cuda

what_bn_does=$1/experiments/what_bn_does/run.sh
expect 2 "there is no study 'nothing'; there are: gamma_and_beta inference_statistics" bash "$what_bn_does" nothing
expect 2 "set BN_DATA_ROOT to the folder that holds MNIST, four files" env -u BN_DATA_ROOT bash "$what_bn_does" placement

# A protocol that has changed under its runs. The program only pretends to train and to report.
cat >pretender <<'END'
#!/usr/bin/env bash
[ "$1" = report ] || exit 0
while [ $# -gt 0 ] && [ "$1" != --out ]; do shift; done
mkdir -p "$2"
printf 'arm,seed,step,validation_top1\ninception-learning_rate.initial=0.006,11,1,0.5\n' >"$2/curves.csv"
END
chmod +x pretender
mkdir -p data/tiny-imagenet-shards
fair=(env "BNINCEPTION=$folder/pretender" "BN_DATA_ROOT=$folder/data" bash "$1/experiments/figure2_fair/run.sh" --out fair)
expect 0 "The search's winner is 0.006." "${fair[@]}"
rm -r fair/search
expect 0 "The search's winner is 0.006." "${fair[@]}"
sed -i 's/0[.]03,/0.06,/; s/seeds: .*/seeds: [1]/' fair/sweep.yaml
expect 2 "the protocol is not that of the runs in fair any more (compare sweep.yaml.part with sweep.yaml there): restore it, or begin" \
  "${fair[@]}"
