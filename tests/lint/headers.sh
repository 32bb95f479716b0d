#!/usr/bin/env bash
# A header opens with a sentence that says what the thing is, then #pragma once.
. "$(dirname "$0")/lib.sh"

while IFS= read -r file; do
  head -n 1 "$file" | grep -qE '^// [A-Za-z0-9`#]' || offence "$file:1 does not open with a comment that says what it is"
  grep -qx '#pragma once' "$file" || offence "$file has no #pragma once"
  refuseLines headers '^ *using namespace ' "$file"
done < <(files '*.h')
verdict "headers that do not introduce themselves"
