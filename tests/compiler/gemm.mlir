// The whole way of a GEMM through the CPU passes.
// RUN: tessera-opt %s --tile-split-edges --tile-peel-loops | FileCheck %s --check-prefix=TILE
// RUN: tessera-opt %s --tile-legalize-dots=target=cpu-avx512 --tile-assign-layouts=target=cpu-avx512 --tile-verify-layouts | FileCheck %s --check-prefix=LAYOUT
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx2 --tile-lower-cpu=target=cpu-avx2 | FileCheck %s --check-prefix=CPU

// Interior programs have no bounds left in the main loop; its rest and the edges keep them.
// TILE: scf.if
// TILE: scf.for
// TILE: tile.load %{{.*}}[%{{.*}} for 4, %{{.*}} for 4] :
// TILE: tile.load %{{.*}}[%{{.*}} for 4, %{{.*}} for 32] :
// TILE: scf.for
// TILE: tile.load %{{.*}}[%{{.*}} for 4, %{{.*}} for 4 until %{{.*}}] :
// TILE: tile.store %{{.*}}[%{{.*}} for 4, %{{.*}} for 32] :
// TILE: } else {
// TILE: tile.load %{{.*}}[%{{.*}} for 4 until %{{.*}}, %{{.*}} for 4] :

// A is broadcast element by element, B and C lie along n.
// LAYOUT: tile.load {{.*}} -> tensor<4x4xf32, #tile.layout<lane = [], reg = [], rep = [4, 4]>>
// LAYOUT: tile.load {{.*}} -> tensor<4x32xf32, #tile.layout<lane = [0, 1, 0, 2, 0, 4, 0, 8], reg = [], rep = [4, 2]>>

// CPU: func.func @gemm(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CPU-NOT: tile.
// CPU: llvm.intr.masked.load
// CPU: math.fma %{{.*}} : vector<8xf32>
// CPU: llvm.intr.masked.store

func.func @gemm(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"}, %K: index {tile.dim = "K"},
    %A: !tile.view<?x?xf32> {tile.name = "A", tile.access = "in", tile.extents = ["M", "K"]},
    %B: !tile.view<?x?xf32> {tile.name = "B", tile.access = "in", tile.extents = ["K", "N"]},
    %C: !tile.view<?x?xf32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %m = tile.program 0 of %M by 4
  %n = tile.program 1 of %N by 32
  %zero = arith.constant dense<0.0> : tensor<4x32xf32>
  %acc = scf.for %k = %c0 to %K step %c4 iter_args(%sum = %zero) -> (tensor<4x32xf32>) {
    %a = tile.load %A[%m for 4 until %M, %k for 4 until %K] : !tile.view<?x?xf32> -> tensor<4x4xf32>
    %b = tile.load %B[%k for 4 until %K, %n for 32 until %N] : !tile.view<?x?xf32> -> tensor<4x32xf32>
    %d = tile.dot %a, %b, %sum : tensor<4x4xf32>, tensor<4x32xf32> -> tensor<4x32xf32>
    scf.yield %d : tensor<4x32xf32>
  }
  tile.store %acc, %C[%m for 4 until %M, %n for 32 until %N] : tensor<4x32xf32> -> !tile.view<?x?xf32>
  return
}
