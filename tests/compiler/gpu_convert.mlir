// Two f32 become one word of halves by one instruction where the chip has it; bf16 travels as such on chips that know
// it, and as bits where they do not.
// RUN: tessera-opt %s --tile-legalize-dots=target=a100 --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 --expand-math=target=a100 | FileCheck %s --check-prefixes=CHECK,AMPERE
// RUN: tessera-opt %s --tile-legalize-dots=target=t4 --tile-assign-gpu-layouts=target=t4 --tile-stage-shared --tile-place-shared=target=t4 --tile-insert-barriers --tile-lower-gpu=target=t4 --expand-math=target=t4 | FileCheck %s --check-prefixes=CHECK,TURING

// CHECK-LABEL: func.func @narrow
// AMPERE: llvm.nvvm.ff2bf16x2.rn
// AMPERE: llvm.nvvm.ff2f16x2.rn
// TURING-NOT: ff2
// TURING-NOT: arith.truncf {{.*}} bf16
// TURING: arith.truncf {{.*}} f32 to f16
func.func @narrow(
    %x: !tile.view<16x16xf32> {tile.name = "x", tile.access = "in", tile.extents = [16, 16]},
    %y: !tile.view<16x16xbf16> {tile.name = "y", tile.access = "out", tile.extents = [16, 16]},
    %z: !tile.view<16x16xf16> {tile.name = "z", tile.access = "out", tile.extents = [16, 16]})
    attributes {tile.kernel, tile.aligned, tile.shared = 0 : i64} {
  %v = tile.load %x[all 16, all 16] : !tile.view<16x16xf32> -> tensor<16x16xf32>
  %b = arith.truncf %v : tensor<16x16xf32> to tensor<16x16xbf16>
  tile.store %b, %y[all 16, all 16] : tensor<16x16xbf16> -> !tile.view<16x16xbf16>
  %h = arith.truncf %v : tensor<16x16xf32> to tensor<16x16xf16>
  tile.store %h, %z[all 16, all 16] : tensor<16x16xf16> -> !tile.view<16x16xf16>
  return
}

// 8-bit floats are bytes in registers; a chip that converts them does so in pairs, another by bit arithmetic.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=l4 --tile-stage-shared --tile-place-shared=target=l4 --tile-insert-barriers --tile-lower-gpu=target=l4 --expand-math=target=l4 | FileCheck %s --check-prefix=ADA
// ADA-LABEL: func.func @bytes
// ADA: llvm.nvvm.e4m3x2.to.f16x2.rn
// ADA: llvm.nvvm.ff.to.e5m2x2.rn
// TURING-LABEL: func.func @bytes
// TURING-NOT: f8E
// TURING: arith.shli
func.func @bytes(
    %x: !tile.view<16x16xf8E4M3FN> {tile.name = "x", tile.access = "in", tile.extents = [16, 16]},
    %y: !tile.view<16x16xf8E5M2> {tile.name = "y", tile.access = "out", tile.extents = [16, 16]})
    attributes {tile.kernel, tile.aligned, tile.shared = 0 : i64} {
  %v = tile.load %x[all 16, all 16] : !tile.view<16x16xf8E4M3FN> -> tensor<16x16xf8E4M3FN>
  %w = arith.extf %v : tensor<16x16xf8E4M3FN> to tensor<16x16xf32>
  %b = arith.truncf %w : tensor<16x16xf32> to tensor<16x16xf8E5M2>
  tile.store %b, %y[all 16, all 16] : tensor<16x16xf8E5M2> -> !tile.view<16x16xf8E5M2>
  return
}

// Products: bytes of floats on a chip that has them; f32 on tensor cores only where the dot allows tf32.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=l4 --tile-stage-shared --tile-place-shared=target=l4 --tile-insert-barriers --tile-lower-gpu=target=l4 | FileCheck %s --check-prefix=PRODUCT
// PRODUCT-LABEL: func.func @products
// PRODUCT: llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32
// PRODUCT: llvm.nvvm.f2tf32.rna
// PRODUCT: llvm.nvvm.mma.m16n8k8.row.col.tf32
// PRODUCT: math.fma
// PRODUCT-NOT: mma.m16
// PRODUCT: return
func.func @products(
    %x: !tile.view<16x32xf8E4M3FN> {tile.name = "x", tile.access = "in", tile.extents = [16, 32]},
    %w: !tile.view<16x32xf8E4M3FN> {tile.name = "w", tile.access = "in", tile.extents = [16, 32]},
    %p: !tile.view<16x16xf32> {tile.name = "p", tile.access = "in", tile.extents = [16, 16]},
    %y: !tile.view<16x16xf32> {tile.name = "y", tile.access = "out", tile.extents = [16, 16]})
    attributes {tile.kernel, tile.aligned} {
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %a = tile.load %x[all 16, all 32] : !tile.view<16x32xf8E4M3FN> -> tensor<16x32xf8E4M3FN>
  %b = tile.load %w[all 16, all 32] : !tile.view<16x32xf8E4M3FN> -> tensor<16x32xf8E4M3FN>
  %t = tile.trans %b : tensor<16x32xf8E4M3FN> -> tensor<32x16xf8E4M3FN>
  %c = tile.dot %a, %t, %zero : tensor<16x32xf8E4M3FN>, tensor<32x16xf8E4M3FN> -> tensor<16x16xf32>
  %f = tile.load %p[all 16, all 16] : !tile.view<16x16xf32> -> tensor<16x16xf32>
  %d = tile.dot %f, %f, %c {tf32} : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %e = tile.dot %f, %f, %d : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %e, %y[all 16, all 16] : tensor<16x16xf32> -> !tile.view<16x16xf32>
  return
}

// A byte becomes f32 by the bits of 2^23, not by a conversion.
// CHECK-LABEL: func.func @codes
// CHECK-NOT: arith.uitofp
// CHECK: arith.subf
// CHECK-NOT: arith.uitofp
func.func @codes(
    %x: !tile.view<16x16xi8> {tile.name = "x", tile.access = "in", tile.extents = [16, 16]},
    %y: !tile.view<16x16xf32> {tile.name = "y", tile.access = "out", tile.extents = [16, 16]})
    attributes {tile.kernel, tile.aligned} {
  %v = tile.load %x[all 16, all 16] : !tile.view<16x16xi8> -> tensor<16x16xi8>
  %w = arith.uitofp %v : tensor<16x16xi8> to tensor<16x16xf32>
  tile.store %w, %y[all 16, all 16] : tensor<16x16xf32> -> !tile.view<16x16xf32>
  return
}
