#!/usr/bin/env bash
# The README's figures are those that the bench wrote.
. "$(dirname "$0")/lib.sh"
[ ! -f bench/table.py ] || python3 -B bench/table.py --check || offence "README.md shows other figures than bench/results"
verdict "figures that no bench wrote"
