#!/usr/bin/env bash
# repeatable.sh PROGRAM: its output does not depend on how many threads of the host run it.
set -euo pipefail
want=$(TESSERA_VGPU_THREADS=1 "$1")
[ -n "$want" ]
for threads in 2 3 7 16; do
  for _ in 1 2; do
    got=$(TESSERA_VGPU_THREADS=$threads "$1")
    if [ "$got" != "$want" ]; then
      echo "with $threads threads the output differs:"
      diff <(tr ',' '\n' <<<"$want") <(tr ',' '\n' <<<"$got") | head -20
      exit 1
    fi
  done
done
grep -E '^[a-zA-Z0-9]+: 0 ' <<<"$want"
