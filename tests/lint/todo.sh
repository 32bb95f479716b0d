#!/usr/bin/env bash
# Work left over is named: TODO(#issue) or nothing.
. "$(dirname "$0")/lib.sh"

mapfile -t sources < <(files '*.h' '*.cpp' '*.td' '*.mlir' '*.sh' | grep -v '^tests/lint/')
refuseLines todo 'TODO([^(]|$)|FIXME|\bXXX\b' "${sources[@]}"
verdict "TODO without an issue"
