// Two f32 become one word of halves by one instruction where the chip has it; bf16 travels as such on chips that know
// it, and as bits where they do not.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-lower-gpu=target=a100 --expand-math=target=a100 | FileCheck %s --check-prefixes=CHECK,AMPERE
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=t4 --tile-lower-gpu=target=t4 --expand-math=target=t4 | FileCheck %s --check-prefixes=CHECK,TURING

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
