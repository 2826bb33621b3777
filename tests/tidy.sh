#!/usr/bin/env bash
# Runs clang-tidy on all that we compile, each source once: what is compiled several times, for several instruction sets, is
# the same source. Several files are read as one, which takes a third as long. What was fine is not looked at again until it,
# a header of its or a rule changes.
#   usage: tidy.sh
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh"
case "${1:-}" in
  "") ;;
  -h | --help) print_help ;;
  *) fail "unknown argument '$1'; there is none but --help." ;;
esac

linter=$PWD/.cache/lint/bin/clang-tidy
fine=${XDG_CACHE_HOME:-$HOME/.cache}/bninception/tidy # empty files, named by what was fine
commands=$PWD/build/tidy/once
export linter fine commands
rm -rf "$commands"
mkdir -p "$fine" "$commands"
cmake --preset release -B build/tidy -DBN_WARNINGS_ARE_ERRORS=OFF >/dev/null
cmake --build build/tidy --target bn_source_version bn_format_sources >/dev/null
# The first command of each file, without ccache before it; and each file's name.
python3 - build/tidy/compile_commands.json "$commands" <<'PYTHON'
import json, shlex, sys
once = {}
for entry in json.load(open(sys.argv[1])):
    if entry["file"].endswith((".cpp", ".cxx")) and "bn_exchange_formats" not in entry["file"]:
        words = shlex.split(entry.pop("command"))
        entry["arguments"] = words[next(i for i, word in enumerate(words) if word.endswith("c++")):]
        once.setdefault(entry["file"], entry)
json.dump(list(once.values()), open(sys.argv[2] + "/compile_commands.json", "w"), indent=0)
for number, entry in enumerate(once.values()):
    words = entry["arguments"]
    words = words[: words.index("-o")] + ["-E", "-P", "-C", entry["file"]]
    open(f"{sys.argv[2]}/{number}.sh", "w").write(shlex.join(words) + "\n")
    open(f"{sys.argv[2]}/{number}.file", "w").write(entry["file"] + "\n")
PYTHON

# A file's result depends on all that the compiler reads, the rules and the linter.
look_at() {
  set -euo pipefail
  local number=$1 seen
  (cd build/tidy && bash "$commands/$number.sh") | sed "s|$PWD/||g" >"$commands/$number.text"
  seen=$({ cat "$commands/$number.text" .clang-tidy; "$linter" --version; } | sha256sum | cut -d' ' -f1)
  [ ! -e "$fine/$seen" ] || return 0
  if ! "$linter" -p "$commands" --quiet --extra-arg=-isystem"$PWD/.cache/lint/include" "$(cat "$commands/$number.file")" \
    2>"$commands/$number.said"; then
    grep -v ' warnings\{0,1\} generated' "$commands/$number.said"
    return 1
  fi
  touch "$fine/$seen"
}
export -f look_at

find "$commands" -name '*.sh' -printf '%f\n' | sed 's/[.]sh$//' | sort -n | xargs -P "$(nproc)" -I'{}' bash -c 'look_at {}'
