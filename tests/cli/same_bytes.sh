#!/usr/bin/env bash
# Every op compiles to the same bytes in another process, another directory and with other work beside it.
# Usage: same_bytes.sh TESSERA
set -euo pipefail
tessera=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/one" "$scratch/another"

ops=$("$tessera" compile --list-ops --json | grep -o '"op":"[a-z_0-9]*"' | cut -d'"' -f4 | sort -u)
[ -n "$ops" ] || { echo "no ops are listed"; exit 1; }
compileAll() { # DIRECTORY
  cd "$1"
  for op in $ops; do
    "$tessera" compile --op "$op" --target cpu-avx2 --emit binary -o "$op.o" 2>/dev/null
    "$tessera" compile --op "$op" --target t4 --ptxas none --emit asm -o "$op.ptx" 2>/dev/null
  done
}
(compileAll "$scratch/one") &
(compileAll "$scratch/another") &
wait %1
wait %2
for op in $ops; do
  for code in "$op.o" "$op.ptx"; do
    cmp "$scratch/one/$code" "$scratch/another/$code" || { echo "$code: other bytes in another directory"; exit 1; }
  done
done
echo "$(wc -w <<<"$ops") ops, the same bytes"
