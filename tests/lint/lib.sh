# Shared by the lint rules. Source it with the tree's root as $1; a rule calls `offence` for each fault and ends with `verdict`.
set -euo pipefail
cd "$1"
offences=0

# files PATTERN...: the tree's files whose name matches one of the shell patterns, build folders left out.
files() {
  local match=() pattern
  for pattern in "$@"; do match+=(-o -name "$pattern"); done
  find . \( -name build -o -name .git -o -name .cache \) -prune -o -type f \( "${match[@]:1}" \) -print | sed 's|^\./||' | sort
}

offence() {
  echo "$1"
  offences=$((offences + 1))
}

verdict() {
  [ $offences -eq 0 ] || { echo "$offences offence(s): $1"; exit 1; }
}

# refuseLines RULE REGEX FILE...: every line that matches is an offence.
refuseLines() {
  local rule=$1 regex=$2 line
  shift 2
  [ $# -gt 0 ] || return 0
  while IFS= read -r line; do offence "$line"; done < <(grep -nHE -- "$regex" "$@" || true)
}
