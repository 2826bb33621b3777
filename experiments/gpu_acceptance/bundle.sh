#!/usr/bin/env bash
# Packs what proves and measures the CUDA backend elsewhere: the programs built here, without OpenCV's imgcodecs, with
# the shared libraries they need (not CUDA's: the other machine has those), configurations, and run.sh.
#   usage: bundle.sh [FILE.tar.xz]
# Fails if the file is larger than 20 MB, or if a program needs a newer C library than Ubuntu 22.04's.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
take_no_options "$@"
file=${root}build/gpu_acceptance.tar.xz
[ $# -eq 0 ] || file=$(from_caller "$1")
build=build/gpu_acceptance
: "${BN_CUDA_ARCHITECTURES:=80-real;89-real;90}"
largest=$((20 * 1000 * 1000)) newest_c_library=2.35

bash experiments/install_packages.sh run cuda test
mkdir -p build
cmake --preset release -B $build -DBN_IMGCODECS=OFF \
  "-DBN_CUDA_ARCHITECTURES=$BN_CUDA_ARCHITECTURES" >$build.log 2>&1 || { cat $build.log; exit 1; }
if ! grep -q 'device cuda is built' $build.log; then
  echo "This machine cannot build the CUDA backend:" >&2
  grep -i cuda $build.log >&2
  exit 1
fi
programs=(bninception bn_cuda.so bn-data test_cuda benchmark_batch_norm_cuda)
cmake --build $build --target bninception bn_cuda_module bn-data test_cuda benchmark_batch_norm_cuda

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/gpu_acceptance
mkdir -p "$root"/{bin,lib/fallback}
for program in "${programs[@]}"; do
  strip -o "$root/bin/$program" "$build/$program"
done
# All but the C library, which belongs to the machine, and CUDA's. The C++ library needs a newer C library than the
# programs do: it is used only where the machine's own is older than this one.
ldd "$root"/bin/* | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -Ev '/(libc|libm|libdl|librt|libpthread|libcudnn|libcublas|libcublasLt|libnvrtc|ld-linux[^/]*)[.]so' |
  while read -r library; do
    to=lib
    [[ $library != */libstdc++.so* && $library != */libgcc_s.so* ]] || to=lib/fallback
    strip -o "$root/$to/$(basename "$library")" "$library"
  done
for binary in "$root"/bin/* "$root"/lib/*.so*; do
  needed=$(objdump -T "$binary" | grep -o 'GLIBC_2[0-9.]*' | cut -d_ -f2 | sort -V | tail -1) || true
  if [ "$(printf '%s\n' "$needed" $newest_c_library | sort -V | tail -1)" != $newest_c_library ]; then
    echo "bundle.sh: $(basename "$binary") needs the C library $needed; $newest_c_library is the newest that it may." >&2
    exit 1
  fi
done
cp -r configs "$root/configs"
# PyTorch does not bring PyYAML.
python3 -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)' \
  <configs/networks/inception.yaml >"$root/configs/networks/inception.json"
cp experiments/gpu_acceptance/run.sh "$root/run.sh"
cp experiments/benchmarks/pytorch_peer.py "$root/pytorch_peer.py"
mkdir "$root/gpu_model"
cp -r experiments/benchmarks/gpu_model/{model.py,devices} "$root/gpu_model/"
mkdir -p "$(dirname "$file")"
tar -C "$folder" -c gpu_acceptance | xz -T0 -9 >"$file"
bytes=$(stat -c %s "$file")
printf '%s: %d.%d MB\n' "$(shown "$file")" $((bytes / 1000000)) $((bytes / 100000 % 10))
echo "The other machine must have $(objdump -p "$root"/bin/* |
  awk '$1 == "NEEDED" && $2 ~ /^lib(cudnn|cublas|nvrtc)/ {print $2}' | sort -u | paste -sd' ')."
if [ "$bytes" -gt $largest ]; then
  echo "bundle.sh: that is more than $((largest / 1000000)) MB." >&2
  exit 1
fi
