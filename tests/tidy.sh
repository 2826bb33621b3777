#!/usr/bin/env bash
# Runs clang-tidy on every source file, each once and by itself: what is compiled several times, for several instruction
# sets, is the same source. A file that was fine is not looked at again until it, a header of its or a rule changes.
#   usage: tidy.sh [FILE...]      default: all
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh"
case "${1:-}" in -h | --help) print_help ;; esac

linter=$PWD/.cache/lint/bin/clang-tidy
fine=${XDG_CACHE_HOME:-$HOME/.cache}/bninception/tidy # empty files, named by what was fine
commands=$PWD/build/tidy/once
export linter fine commands
mkdir -p "$fine" "$commands"
cmake --preset release -B build/tidy -DCMAKE_UNITY_BUILD=OFF >/dev/null
# The first command of each file, without ccache before it.
python3 - build/tidy/compile_commands.json "$commands/compile_commands.json" <<'PYTHON'
import json, sys
once = {}
for entry in json.load(open(sys.argv[1])):
    if entry["file"].endswith(".cpp"):
        entry["command"] = entry["command"][entry["command"].index("/c++ ") + 1:]
        once.setdefault(entry["file"], entry)
json.dump(list(once.values()), open(sys.argv[2], "w"), indent=0)
PYTHON

# What decides about a file: all that the compiler reads, the rules, the linter.
look_at() {
  local file=$1 command seen
  command=$(grep -A1 -B2 -F "\"file\": \"$file\"" "$commands/compile_commands.json" | sed -n 's/^"command": "\(.*\)",\{0,1\}$/\1/p' | sed 's/\\"/"/g; s/\\\\/\\/g')
  command=${command% -o *}
  seen=$({ (cd build/tidy && eval "$command -E -P -C $file") | sed "s|$PWD/||g"; cat .clang-tidy; "$linter" --version; } | sha256sum | cut -d' ' -f1)
  [ ! -e "$fine/$seen" ] || return 0
  "$linter" -p "$commands" --quiet --extra-arg=-isystem"$PWD/.cache/lint/include" "$file" 2>/dev/null && touch "$fine/$seen"
}
export -f look_at

if [ $# -gt 0 ]; then
  files=$(realpath "$@")
else
  files=$(sed -n 's/^"file": "\(.*\)",\{0,1\}$/\1/p' "$commands/compile_commands.json")
fi
xargs -P "$(nproc)" -I{} bash -c 'look_at {}' <<<"$files"
