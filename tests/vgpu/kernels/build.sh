#!/bin/sh
# Compiles the kernels here to PTX with the toolkit's nvcc; the results are checked in, so tests need no toolkit.
set -e
cd "$(dirname "$0")"
compile() { nvcc -ptx -std=c++17 -lineinfo -arch="$2" -o "$1.$2.ptx" "$1.cu" && sed -i 's|"[^"]*/kernels/|"kernels/|; s|"/usr/[^"]*/include/|"cuda/include/|' "$1.$2.ptx"; }
compile basics sm_75
compile basics sm_80
compile basics sm_86
compile basics sm_90a
compile calls sm_75
compile calls sm_90a
compile cooperative sm_75
compile cooperative sm_80
compile matrix sm_75
compile matrix sm_80
compile matrix sm_89
compile hopper sm_90a
compile warpgroup sm_90a
compile checker sm_75
compile checker sm_80
compile checker sm_90a
compile speed sm_80
# What ptxas allocates, which tests/vgpu/registers_test.cpp holds the estimate from liveness to.
{
  ptxas --version | tail -1 | sed 's/^/# ptxas -v, /; s/$/: file, kernel, registers, bytes of stack, bytes of spill stores/'
  for file in *.ptx; do
    target=${file#*.}
    ptxas -v -arch="${target%.ptx}" "$file" -o /dev/null 2>&1 | awk -v file="$file" '
      /Compiling entry/ { split($0, part, "\047"); name = part[2] }
      /bytes stack frame/ { stack = $1; spill = $5 }
      /Used .* registers/ && name { for (i = 1; i < NF; i++) if ($(i + 1) ~ /^registers/) print file, name, $i, stack, spill; name = "" }'
  done
} > registers.txt
