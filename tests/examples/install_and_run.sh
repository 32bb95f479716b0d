#!/usr/bin/env bash
# Usage: install_and_run.sh BUILD EXAMPLE COMPILER: installs BUILD into a scratch prefix, builds EXAMPLE against it and runs it.
set -euo pipefail
build=$1 example=$2 compiler=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
# Every installed header compiles with nothing else on the include path.
(cd "$scratch/prefix/include/tessera" && find . -name '*.h' | sed 's|^\./\(.*\)|#include "\1"|' | sort) >"$scratch/headers.cpp"
"$compiler" -std=c++20 -fsyntax-only -I "$scratch/prefix/include/tessera" "$scratch/headers.cpp"

cp -r "$example" "$scratch/source" # outside the tree, so that no header of it can be found by accident
cmake -S "$scratch/source" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$scratch/prefix"
cmake --build "$scratch/build"
TESSERA_CACHE=$scratch/cache "$scratch/build/$(basename "$example")"
