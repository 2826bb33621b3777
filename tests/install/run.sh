#!/usr/bin/env bash
# Installs a build under a prefix, moves the prefix, and uses it as others would: the programs find their experiments,
# a program of 30 lines is built by find_package and by pkg-config and trains ten steps, the packages that cpack makes
# hold the same and name the libraries they need.
#   usage: run.sh BUILD-FOLDER
set -euo pipefail
build=$(realpath "${1:?usage: run.sh BUILD-FOLDER}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" # whatever works here does not need the sources
unset BN_DATA_ROOT

fail() { echo "install/run.sh: $*" >&2; exit 1; }
expect_file() { [ -s "$1" ] || fail "$1 is missing"; }

# uses PREFIX: the installed programs work, wherever they are called from.
uses() {
  local prefix=$1 file
  for file in bin/bninception bin/bn-data lib/libbninception.a include/bn/trainer.hpp share/bninception/plots/style.gp \
    share/bninception/configs/imagenet/bn_x5.yaml share/bninception/imagenet/classes.txt; do
    expect_file "$prefix/$file"
  done
  [[ $("$prefix/bin/bninception" config show imagenet/bn_x5.yaml) = *'classes: 1000'* ]] ||
    fail "the installed program does not find imagenet/bn_x5.yaml"
  "$prefix/bin/bninception" train quickstart/batch_norm.yaml --out "$work/run" --quiet --set train.steps=10 \
    --set data.shapes.train_images=320 --set data.shapes.validation_images=100
  expect_file "$work/run/log.jsonl"
  rm -rf "$work/run"
  "$prefix/bin/bn-data" shapes --out "$work/shapes" --images 10 --validation-images 10
  rm -rf "$work/shapes"
  if command -v help2man >/dev/null; then
    grep -q '^\.SH' "$prefix/share/man/man1/bninception.1" || fail "bninception has no manual page"
  fi
}

cmake --install "$build" --prefix "$work/first" --strip >/dev/null
mv "$work/first" "$work/moved"
uses "$work/moved"

cmake -S "$here" -B "$work/by_cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$work/moved" >/dev/null
cmake --build "$work/by_cmake"
"$work/by_cmake/ten_steps" "$work/run_by_cmake"

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$work/moved/lib/pkgconfig
  configs=$(pkg-config --variable=configsdir bninception)
  read -ra flags <<<"$(pkg-config --cflags --libs bninception)"
  c++ "$here/ten_steps.cpp" -DCONFIGS="\"$configs\"" "${flags[@]}" -o "$work/by_pkg_config"
  "$work/by_pkg_config" "$work/run_by_pkg_config"
  cmp "$work/run_by_cmake/checkpoints/step_000000010.safetensors" \
    "$work/run_by_pkg_config/checkpoints/step_000000010.safetensors"
else
  echo "pkg-config is not installed: not tried"
fi

pack() { cpack --config "$build/CPackConfig.cmake" -B "$work/packages" -G "$1" >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; exit 1; }; }
pack TGZ
mkdir "$work/unpacked"
tar -xzf "$work"/packages/*.tar.gz -C "$work/unpacked" --strip-components=1
uses "$work/unpacked"
if command -v dpkg-shlibdeps >/dev/null; then
  pack DEB
  package=("$work"/packages/*.deb)
  needs=$(dpkg-deb --field "${package[0]}" Depends)
  echo "$(basename "${package[0]}") needs: $needs"
  for library in libc6 libdnnl libopencv-core 'libgomp1|libomp5' libyaml-cpp libfmt libprotobuf-lite; do
    grep -qE "$library" <<<"$needs" || fail "the package does not say that it needs $library"
  done
  dpkg-deb --extract "${package[0]}" "$work/deb"
  uses "$work/deb/usr"
else
  echo "dpkg-dev is not installed: no .deb was made"
fi
echo "installed, moved, built against, packed: all as promised"
