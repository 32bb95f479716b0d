#!/usr/bin/env bash
# Each lint rule must refuse a tree with one known offence in it, and name the offending file.
set -euo pipefail
rules=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# refuses RULE FILE: with the text on standard input as FILE of an otherwise empty tree.
refuses() {
  local rule=$1 file=$2 tree=$scratch/$1.$RANDOM said
  mkdir -p "$tree/$(dirname "$file")" "$tree/base" "$tree/dsl" "$tree/compiler/tile" "$tree/ops" "$tree/runtime"
  cat >"$tree/$file"
  for header in base/result.h dsl/dsl.h compiler/tile/tile.h ops/gemm.h runtime/engine.h; do
    [ -f "$tree/$header" ] || printf '// A header.\n#pragma once\n' >"$tree/$header"
  done
  if said=$(bash "$rules/$rule.sh" "$tree" 2>&1); then
    echo "$rule accepts $file"
    failures=$((failures + 1))
  elif ! grep -qF "$file" <<<"$said"; then
    echo "$rule refuses $file without naming it: $said"
    failures=$((failures + 1))
  fi
}

refuses layers base/up.cpp <<<'#include "dsl/dsl.h"'
refuses layers ops/device.cpp <<<'#include "runtime/engine.h"'
refuses layers runtime/vgpu/peek.cpp <<<'#include "ops/gemm.h"'
refuses layers runtime/back_door.cpp <<<'#include "compiler/tile/tile.h"'
refuses layers cli/lost.cpp <<<'#include "base/no_such_file.h"'
refuses leaks dsl/kernel.h <<<'#include "mlir/IR/Builders.h"'
refuses leaks compiler/compile.h <<<'#include "llvm/ADT/StringRef.h"'
refuses intrinsics runtime/fast.cpp <<<'#include <immintrin.h>'
refuses sizes base/long.cpp < <(yes '// line' | head -n 601)
refuses sizes tests/base/long.cpp < <(yes '// line' | head -n 801)
refuses macros base/macro.h <<<'#define MAX(a, b) ((a) > (b) ? (a) : (b))'
refuses headers base/silent.h <<<'#pragma once'
refuses headers base/unguarded.h <<<'// A header that is read twice.'
refuses portable docs/place.md <<<"See /wo""rk/main."
refuses portable base/environment.cpp <<<'auto home = getenv("MY_SWITCH");'
refuses todo base/later.cpp <<<'// TODO: mend'
refuses format base/crooked.cpp <<<'int   x ;'
refuses coverage compiler/passes/passes.td <<<'def Untested : Pass<"untested", "ModuleOp"> {}'
printf '#include "ops/softmax.h"\n' >"$scratch/all"
mkdir -p "$scratch/oracle/ops" && cp "$scratch/all" "$scratch/oracle/ops/all.h" && touch "$scratch/oracle/ops/softmax.h"
! bash "$rules/coverage.sh" "$scratch/oracle" >/dev/null || { echo "coverage accepts an operator without an oracle"; failures=$((failures + 1)); }
refuses readme README.md <<<'[elsewhere](docs/none.md)'
mkdir -p "$scratch/typed" && cp -r "$rules/../../bench" "$scratch/typed/"
sed 's|<!-- /figures -->|999 tokens/s\n&|' "$rules/../../README.md" >"$scratch/typed/README.md"
! bash "$rules/figures.sh" "$scratch/typed" >/dev/null 2>&1 || { echo "figures accepts a figure typed by hand"; failures=$((failures + 1)); }
[ $failures -eq 0 ]
