#!/usr/bin/env bash
# The studies' shards of Tiny ImageNet are the same, byte for byte, from the official archive and from tars of its images.
#   usage: tiny_imagenet.sh SOURCES
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sources=$1
official=$folder/official/tiny-imagenet-200 tars=$folder/tars/tiny-imagenet
mkdir -p "$official/val/images" "$tars" "$folder/images"

# Three training images and two validation images of each class, and those of a class that is not among the 40.
number=0
while read -r class _; do
  mkdir -p "$official/train/$class/images" "$folder/images/train/$class" "$folder/images/val/$class"
  for image in 0 1 2; do echo "train $class $image" >"$official/train/$class/images/${class}_$image.JPEG"; done
  cp "$official/train/$class/images"/* "$folder/images/train/$class/"
  for image in 0 1; do
    name=val_$((number++)).JPEG
    echo "val $class $image" | tee "$official/val/images/$name" >"$folder/images/val/$class/$name"
    printf '%s\t%s\t0\t0\t63\t63\n' "$name" "$class" >>"$official/val/val_annotations.txt"
  done
done < <(cat "$sources/configs/tiny_imagenet/synsets.txt"; echo "n99999999 another one")
rm -rf "$folder"/images/*/n99999999
tar -c -f "$tars/train-00.tar" -C "$folder/images" train
tar -c -f "$tars/val.tar" -C "$folder/images" val

# shellcheck source=experiments/common.sh
source "$sources/experiments/common.sh"
shard_tiny_imagenet "$folder/official" "$folder/of_official"
shard_tiny_imagenet "$folder/tars" "$folder/of_tars"
diff -r "$folder/of_official" "$folder/of_tars"
[ "$(cat "$folder"/of_official/train/*.tar | grep -ac 'train n')" = 120 ]
[ "$(grep -ac 'val n' "$folder/of_official/val.tar")" = 80 ]

status=0
said=$(shard_tiny_imagenet "$folder" "$folder/of_nothing" 2>&1) || status=$?
[ $status = 2 ] && [[ $said = *"holds tiny-imagenet-200"* ]] || { echo "status $status: $said" >&2; exit 1; }
