#!/usr/bin/env bash
# A file fits a head: at most 600 lines, 800 for tests and TableGen.
. "$(dirname "$0")/lib.sh"

while IFS= read -r file; do
  limit=600
  case $file in tests/* | *.td) limit=800 ;; esac
  lines=$(wc -l <"$file")
  [ "$lines" -le $limit ] || offence "$file: $lines lines, the limit is $limit"
done < <(files '*.h' '*.cpp' '*.td' '*.mlir' '*.py' '*.sh' '*.cmake' CMakeLists.txt)
verdict "files over the limit; split them by concern"
