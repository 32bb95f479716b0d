#!/usr/bin/env bash
# No macro but TESSERA_TRY. What MLIR's generated files ask for (GET_*, GEN_PASS_*) is theirs.
. "$(dirname "$0")/lib.sh"

while IFS=: read -r file line text; do
  name=$(sed -E 's/^ *# *define +([A-Za-z0-9_]+).*/\1/' <<<"$text")
  [[ $name =~ ^(TESSERA_TRY|GET_[A-Z_]+|GEN_PASS_[A-Z_]+)$ ]] || offence "$file:$line defines $name"
done < <(files '*.h' '*.cpp' | xargs grep -nHE '^ *# *define ')
verdict "macros; use a constexpr, a template or a function"
