#!/usr/bin/env bash
# Every operator has its double-precision oracle and stands in ops/all.h; every compiler pass has a FileCheck test.
. "$(dirname "$0")/lib.sh"

[ ! -f ops/all.h ] || while IFS= read -r file; do
  op=$(basename "$file" .h)
  grep -q "#include \"ops/$op.h\"" ops/all.h || continue # shared helpers are not operators
  [ -f "ops/reference/$op.cpp" ] || offence "ops/$op.h has no oracle ops/reference/$op.cpp"
done < <(files '*.h' | grep -E '^ops/[a-z0-9_]+\.h$' | grep -v '^ops/all.h$')

while IFS= read -r file; do
  pass=$(basename "$file" .cpp)
  [ -f "tests/compiler/$pass.mlir" ] || offence "$file has no test tests/compiler/$pass.mlir"
done < <(files '*.cpp' | grep -E '^compiler/passes/' || true)
verdict "operators or passes without their test"
