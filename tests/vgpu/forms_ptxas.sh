#!/bin/sh
# Every form of the table is PTX: NVIDIA's assembler takes it for the chip from which the table says that it exists.
# usage: forms_ptxas.sh <vgpu_forms_dump> <ptxas>
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for arch in 75 80 86 89 90; do
  "$1" $arch > "$work/forms.ptx"
  target=sm_$arch
  [ $arch = 90 ] && target=sm_90a
  "$2" -arch=$target -o /dev/null "$work/forms.ptx"
done
