#!/usr/bin/env bash
# Tries the project as a stranger would, on a fresh system of another Debian: both commands of the README in a clean
# clone, as a user with sudo and as root, then the package that cpack makes, installed by apt and used. Where buildah is
# installed, the image of .container/Containerfile is built on the same fresh system, and trains.
#   usage: distributions.sh [bookworm|trixie] [--quick] [--image]      default: trixie
# --image: nothing but the image.
# --quick: the quickstart's short trial as the user, and no tests as root. Needs root (debootstrap and chroot), 5 GB under
# .cache/distributions and network. The fresh system is kept as an archive there; each run starts from it.
# The minutes and versions that it prints stand in tests/README.md.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh"

suite=trixie quick=no image_only=no
for argument in "$@"; do
  case "$argument" in
    bookworm | trixie) suite=$argument ;;
    --quick) quick=yes ;;
    --image) image_only=yes ;;
    -h | --help) print_help ;;
    *) fail "unknown argument '$argument'; the options are bookworm, trixie, --quick and --image." ;;
  esac
done
[ "$(id -u)" -eq 0 ] || fail "a system inside this one can only be made by root: please run this as root."
command -v debootstrap >/dev/null || fail "debootstrap is missing: install it with 'apt-get install debootstrap', then try again."

system=$PWD/.cache/distributions/$suite
mkdir -p "$(dirname "$system")"
exec {lock}>"$system.lock"
flock --nonblock "$lock" || fail "another run uses $system: wait until it has ended, then try again."
layers="" # the image's
clean_up() {
  local place
  [ -z "$layers" ] || rm -rf "$layers"
  for place in dev/shm dev/pts dev sys proc; do
    while mountpoint -q "$system/$place"; do umount "$system/$place" || umount --lazy "$system/$place"; done
  done
}
trap clean_up EXIT
inside() { chroot "$system" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }
as_user() { inside su - newcomer -c "$1"; }

# The image, by a program that needs no service and no kernel of its own; its layers are thrown away.
image() {
  local made
  layers=$(mktemp -d "$system.layers.XXXXXX")
  builder() { buildah --storage-driver vfs --root "$layers/root" --runroot "$layers/run" "$@"; }
  made=$(builder from scratch)
  builder add "$made" "$system.tar" / >/dev/null
  builder commit --quiet "$made" localhost/fresh >/dev/null
  git clone --quiet --no-hardlinks . "$layers/bninception"
  builder bud --isolation chroot --network host --build-arg BASE=localhost/fresh \
    -f "$layers/bninception/.container/Containerfile" -t localhost/bninception "$layers/bninception"
  made=$(builder from localhost/bninception)
  builder run --isolation chroot "$made" -- bninception train quickstart/batch_norm.yaml --out /tmp/first \
    --set train.steps=20 --set train.evaluate_every=20
}

make_archive() {
  rm -rf --one-file-system "$system" # a mounted /dev would not be touched
  mkdir -p "$system"
  if [ -f "$system.tar" ]; then return; fi
  debootstrap --variant=minbase --include=sudo,git,ca-certificates "$suite" "$system"
  tar -C "$system" -cf "$system.tar.part" .
  mv "$system.tar.part" "$system.tar"
}

clean_up
make_archive
if [ $image_only = yes ]; then
  command -v buildah >/dev/null || fail "buildah is missing: install it with 'apt-get install buildah', then try again."
  image
  exit
fi
tar -C "$system" -xpf "$system.tar"
cp -L /etc/resolv.conf "$system/etc/resolv.conf"
echo "127.0.1.1 $(hostname)" >>"$system/etc/hosts" # sudo asks for it
for place in proc sys dev dev/pts dev/shm; do mount --bind "/$place" "$system/$place"; done # Open MPI reads and uses them all
inside id newcomer >/dev/null 2>&1 || inside useradd --create-home --shell /bin/bash newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$system/etc/sudoers.d/newcomer"

# A clean clone of what is committed, for each of the two.
for home in root home/newcomer; do
  rm -rf "${system:?}/$home/bninception" "${system:?}/$home/.cache"
  git clone --quiet --no-hardlinks . "$system/$home/bninception"
done
inside chown -R newcomer: /home/newcomer

table=""
timed() {
  local what=$1 start=$SECONDS
  shift
  printf '\n===== %s: %s\n' "$suite" "$what"
  "$@"
  table+=$(printf '| %s | %d min %02d s |' "$what" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)))$'\n'
}

trial=()
[ $quick = no ] || trial=(--steps 20)
timed "quickstart, user with sudo, from nothing" as_user "bash bninception/experiments/quickstart.sh ${trial[*]}"
timed "tests, user with sudo, after it" as_user "bash bninception/tests/run.sh"
timed "quickstart, root" inside bash /root/bninception/experiments/quickstart.sh --steps 20
[ $quick = yes ] || timed "tests, root, after it" inside bash /root/bninception/tests/run.sh

# The package, made by the user, installed by apt, used from anywhere; then it goes again.
package() {
  as_user "cd bninception && cpack --config build/release/CPackConfig.cmake -B packages -G DEB"
  inside bash -c 'apt-get install -y -q --no-install-recommends /home/newcomer/bninception/packages/*.deb'
  as_user "bninception train quickstart/batch_norm.yaml --out /tmp/first --set train.steps=20 --set train.evaluate_every=20"
  inside rm -rf /tmp/first
  inside apt-get remove -y -q bninception
}
timed "the package: made, installed by apt, used, removed" package
if command -v buildah >/dev/null; then
  timed "the image: built, trains" image
else
  echo "SKIPPED: buildah is not installed, so no image was built."
fi

printf '\n%s, %s:\n\n| command | time |\n|---|---|\n%s\n' "$(. "$system/etc/os-release" && echo "$PRETTY_NAME")" \
  "$(nproc) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" "$table"
inside bash -c "dpkg-query -W -f '\${Package} \${Version}\n' g++ cmake libdnnl-dev libopencv-core-dev libfmt-dev libcli11-dev \
  libyaml-cpp-dev nlohmann-json3-dev libgtest-dev libboost-dev"
