#!/usr/bin/env bash
# Includes point only to the left: base <- compiler <- dsl <- ops <- runtime <- autotune <- bench <- cli <- tests.
. "$(dirname "$0")/lib.sh"

declare -A rank=([base]=0 [compiler]=1 [dsl]=2 [ops]=3 [runtime]=4 [autotune]=5 [bench]=6 [cli]=7 [tests]=8 [examples]=9)

# The rooms whose insides see `base` and themselves only.
closedRooms='^runtime/(driver|vgpu|model)/'

includes=$(files '*.h' '*.cpp' | xargs grep -nHoE '^ *#include "[^"]+"' | sed -E 's/ *#include "([^"]+)"/\1/')

while IFS=: read -r file line include; do
  from=${file%%/*}
  to=${include%%/*}
  [ -n "${rank[$from]:-}" ] && [ -n "${rank[$to]:-}" ] || continue
  where="$file:$line includes $include"
  if [[ $file =~ $closedRooms ]]; then
    room=${BASH_REMATCH[0]}
    [ "$to" = base ] || [[ $include == "$room"* ]] || offence "$where: ${room%/} may include base and itself only"
  elif [ "$from" != "$to" ] && [ "${rank[$to]}" -ge "${rank[$from]}" ]; then
    offence "$where: $to does not lie to the left of $from"
  elif [ "$to" = compiler ] && [ "$from" != compiler ] && [[ $include == compiler/*/* ]] &&
    [ "$include" != compiler/layout/panels.h ] && [[ ! $file =~ ^(dsl/trace[a-z_]*\.cpp|tests/compiler/) ]]; then
    offence "$where: the compiler's doors are compiler/compile.h, compiler/program.h and compiler/layout/panels.h"
  fi
done <<<"$includes"

# Quoted includes are paths in the tree.
while IFS=: read -r file line include; do
  case $include in mlir/* | llvm/* | lld/* | *.inc) continue ;; esac
  [[ $file == examples/* ]] && continue
  [ -f "$include" ] || offence "$file:$line includes $include: no such path in the tree"
done <<<"$includes"

verdict "includes must point leftwards (architecture: base <- compiler <- dsl <- ops <- runtime <- autotune <- bench <- cli <- tests)"
