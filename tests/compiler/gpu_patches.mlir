// Products that single threads compute: no lane computes what another does while the patch of a thread can shrink, and
// neighbours along k come with one access.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=t4 | FileCheck %s
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=t4 --tile-stage-shared --tile-place-shared=target=t4 --tile-insert-barriers --tile-lower-gpu=target=t4 2>&1 | FileCheck %s --check-prefix=READ

// Three rows cannot be cut: 32 lanes, a column each.
// CHECK-LABEL: func.func @scores
// CHECK: tile.dot {{.*}} -> tensor<3x32xf32, #tile.layout<lane = [0, 1, 0, 2, 0, 4, 0, 8, 0, 16], reg = [], rep = [3, 1]>>
// READ-DAG: load from shared memory: 12 accesses of 16 bytes a thread, bank conflict degree 1
// READ-DAG: load from shared memory: 4 accesses of 16 bytes a thread, bank conflict degree
func.func @scores(%q: !tile.view<3x16xf32> {tile.name = "q", tile.access = "in", tile.extents = [3, 16]},
    %k: !tile.view<32x16xf32> {tile.name = "k", tile.access = "in", tile.extents = [32, 16]},
    %s: !tile.view<3x32xf32> {tile.name = "s", tile.access = "out", tile.extents = [3, 32]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<3x32xf32>
  %a = tile.load %q[all 3, all 16] : !tile.view<3x16xf32> -> tensor<3x16xf32>
  %b = tile.load %k[all 32, all 16] : !tile.view<32x16xf32> -> tensor<32x16xf32>
  %t = tile.trans %b : tensor<32x16xf32> -> tensor<16x32xf32>
  %c = tile.dot %a, %t, %zero : tensor<3x16xf32>, tensor<16x32xf32> -> tensor<3x32xf32>
  tile.store %c, %s[all 3, all 32] : tensor<3x32xf32> -> !tile.view<3x32xf32>
  return
}
