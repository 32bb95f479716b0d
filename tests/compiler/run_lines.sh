#!/usr/bin/env bash
# Runs a test's `// RUN:` lines in order; each must succeed, every part of its pipes included.
# Usage: run_lines.sh FILE TOOLS...   In a line %s is the file and %t a scratch path; TOOLS are folders put first on PATH.
set -uo pipefail
file=$1
shift
for folder in "$@"; do PATH=$folder:$PATH; done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

lines=$(sed -nE 's|^// RUN: *(.*)$|\1|p' "$file" | sed -e ':more' -e '/\\$/{N;s/\\\n//;b more' -e '}')
[ -n "$lines" ] || { echo "$file has no RUN line"; exit 1; }
while IFS= read -r line; do
  line=${line//%s/$file}
  line=${line//%t/$scratch/t}
  bash -o pipefail -c "$line" </dev/null || { echo "failed: $line"; exit 1; }
done <<<"$lines"
