#!/usr/bin/env bash
# Packs what proves and measures the CUDA backend elsewhere: the programs built here, without OpenCV's imgcodecs, with
# the shared libraries they need (not CUDA's: the other machine has those), configurations, and run.sh.
#   usage: bundle.sh [FILE.tar.xz]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
file=$(realpath -m "${1:-build/gpu_acceptance.tar.xz}")
build=build/gpu_acceptance
: "${BN_CUDA_ARCHITECTURES:=80-real;89-real;90}"

bash experiments/install_packages.sh
mkdir -p build
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBN_IMGCODECS=OFF \
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
mkdir -p "$root"/{bin,lib,experiments}
for program in "${programs[@]}"; do
  strip -o "$root/bin/$program" "$build/$program"
done
# All but the C library, which belongs to the machine, and CUDA's.
ldd "$root"/bin/* | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -Ev '/(libc|libm|libdl|librt|libpthread|libcudnn|libcublas|libcublasLt|libnvrtc|ld-linux[^/]*)[.]so' |
  while read -r library; do strip -o "$root/lib/$(basename "$library")" "$library"; done
cp -r configs "$root/configs"
cp experiments/gpu_acceptance/run.sh "$root/run.sh"
cp experiments/benchmarks/pytorch_inception.py "$root/pytorch_inception.py"
mkdir -p "$(dirname "$file")"
tar -C "$folder" -c gpu_acceptance | xz -T0 -9 >"$file"
echo "$file: $(du -m "$file" | cut -f1) MB"
