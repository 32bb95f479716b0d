#!/usr/bin/env bash
# Sources are as clang-format 22 writes them.
. "$(dirname "$0")/lib.sh"

command -v clang-format-22 >/dev/null || { echo "clang-format-22 is missing; scripts/packages.txt lists it"; exit 1; }
while IFS= read -r file; do
  clang-format-22 --dry-run -Werror "$file" >/dev/null 2>&1 || offence "$file is not formatted: clang-format-22 -i $file"
done < <(files '*.h' '*.cpp')
verdict "unformatted files"
