#!/usr/bin/env bash
# Every operator has its double-precision oracle and stands in ops/all.h; every compiler pass is run by a FileCheck test.
. "$(dirname "$0")/lib.sh"

[ ! -f ops/all.h ] || while IFS= read -r file; do
  op=$(basename "$file" .h)
  grep -q "#include \"ops/$op.h\"" ops/all.h || continue # shared helpers are not operators
  [ -f "ops/reference/$op.cpp" ] || offence "ops/$op.h has no oracle ops/reference/$op.cpp"
done < <(files '*.h' | grep -E '^ops/[a-z0-9_]+\.h$' | grep -v '^ops/all.h$')

[ ! -f compiler/passes/passes.td ] || while IFS= read -r pass; do
  grep -qsE -- "^// RUN:.*--$pass\b" tests/compiler/*.mlir || offence "compiler/passes/passes.td: no RUN line of tests/compiler runs --$pass"
done < <(sed -nE 's/^def .*Pass<"([a-z0-9-]+)".*/\1/p' compiler/passes/passes.td)
verdict "operators or passes without their test"
