// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx512 --tile-verify-layouts | FileCheck %s
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx512 --tile-lower-cpu=target=cpu-avx512 | FileCheck %s --check-prefix=CPU

// K . Q^T as attention has it: rows of K lie along d in memory and must lie along the keys in the dot.
// CHECK-LABEL: func.func @scores
// A computed left operand is taken apart where it is made.
// CHECK: tile.convert {{.*}} -> tensor<2x16xf32, #tile.layout<lane = [], reg = [], rep = [2, 16]>>
// CHECK: %[[K:.*]] = tile.load {{.*}} -> tensor<16x16xf32, #tile.layout<lane = [0, 1, 0, 2, 0, 4, 0, 8], reg = [], rep = [16, 1]>>
// CHECK: tile.trans %[[K]] {{.*}} -> tensor<16x16xf32, #tile.layout<lane = [1, 0, 2, 0, 4, 0, 8, 0], reg = [], rep = [1, 16]>>
// CHECK: tile.convert
// CHECK: tile.dot
// A reduction along the lanes leaves one scalar a row.
// CHECK: tile.reduce max {{.*}} -> tensor<2x1xf32, #tile.layout<lane = [], reg = [], rep = [2, 1]>>

// The transpose is four rounds of two-input shuffles: 64 of them, and none lane by lane.
// CPU-LABEL: func.func @scores
// CPU-COUNT-64: vector.shuffle
// CPU: math.fma
func.func @scores(%N: index {tile.dim = "N"},
    %q: !tile.view<?x16xf32> {tile.name = "q", tile.access = "in", tile.extents = ["N", 16]},
    %k: !tile.view<?x16xf32> {tile.name = "k", tile.access = "in", tile.extents = ["N", 16]},
    %y: !tile.view<?x1xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N", 1]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<2x16xf32>
  %a = tile.load %q[%c0 for 2, all 16] : !tile.view<?x16xf32> -> tensor<2x16xf32>
  %scaled = arith.addf %a, %a : tensor<2x16xf32>
  %b = tile.load %k[%c0 for 16, all 16] : !tile.view<?x16xf32> -> tensor<16x16xf32>
  %t = tile.trans %b : tensor<16x16xf32> -> tensor<16x16xf32>
  %d = tile.dot %scaled, %t, %zero : tensor<2x16xf32>, tensor<16x16xf32> -> tensor<2x16xf32>
  %m = tile.reduce max %d along 1 : tensor<2x16xf32> -> tensor<2x1xf32>
  tile.store %m, %y[%c0 for 2, all 1] : tensor<2x1xf32> -> !tile.view<?x1xf32>
  return
}
