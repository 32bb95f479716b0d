#!/usr/bin/env bash
# Kernels come from the compiler: no hand-written SIMD or assembly.
. "$(dirname "$0")/lib.sh"

mapfile -t sources < <(files '*.h' '*.cpp' | grep -vE '^(runtime/vgpu|tests/vgpu)/')
refuseLines intrinsics 'immintrin\.h|arm_neon\.h|x86intrin|__asm__|asm volatile|__m(128|256|512)' "${sources[@]}"
verdict "hand-written SIMD or assembly where kernels must come from the compiler"
