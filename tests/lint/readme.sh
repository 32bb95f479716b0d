#!/usr/bin/env bash
# The README shows the GEMM that is in the tree, and names only files that exist.
. "$(dirname "$0")/lib.sh"

[ -f README.md ] || exit 0
while IFS= read -r line; do
  [ ! -f ops/gemm.cpp ] || grep -qxF -- "$line" ops/gemm.cpp || offence "README.md shows a line that ops/gemm.cpp does not have: $line"
done < <(awk '/^```cpp$/ { block++; next } /^```$/ { if (block == 1) exit } block == 1' README.md)
while IFS= read -r path; do
  [ -e "$path" ] || offence "README.md links to $path, which does not exist"
done < <(grep -oE '\]\([^):# ]+\)' README.md | tr -d ']()')
verdict "a README that is not about this tree"
