#!/bin/sh
# Compiles the kernels here to PTX with the toolkit's nvcc; the results are checked in, so tests need no toolkit.
set -e
cd "$(dirname "$0")"
compile() { nvcc -ptx -std=c++17 -lineinfo -arch="$2" -o "$1.$2.ptx" "$1.cu" && sed -i 's|"[^"]*/kernels/|"kernels/|; s|"/usr/[^"]*/include/|"cuda/include/|' "$1.$2.ptx"; }
compile basics sm_75
compile basics sm_80
compile basics sm_90a
compile cooperative sm_75
compile cooperative sm_80
compile matrix sm_75
compile matrix sm_80
compile hopper sm_90a
compile speed sm_80
