#!/usr/bin/env bash
# MLIR and LLVM headers stay in compiler/, dsl/trace*.cpp, runtime/driver/cpu.cpp and the compiler's own tests; no public header shows them.
. "$(dirname "$0")/lib.sh"

allowed='^(compiler/.+|dsl/trace[a-z_]*\.cpp|runtime/driver/cpu\.cpp|tests/compiler/.+)$'
mapfile -t outside < <(files '*.h' '*.cpp' | grep -vE "$allowed")
for door in compiler/compile.h compiler/program.h; do [ ! -f $door ] || outside+=($door); done
refuseLines leaks '^ *#include ["<](mlir|llvm|llvm-c|clang|lld)/' "${outside[@]}"
verdict "MLIR and LLVM headers outside their rooms"
