// A buffer gets a swizzle of its own where its warps would meet banks twice under the standard one, and only there.
// RUN: tessera-opt %s --tile-choose-swizzles=target=a100 | FileCheck %s
// RUN: tessera-opt %s --tile-choose-swizzles=target=a100 --tile-place-shared=target=a100 --tile-lower-gpu=target=a100 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Written in whole rows, read by lanes that own four rows each: rows 0, 4, 8, .. must differ, 0 to 3 need not.
// CHECK-LABEL: func.func @every_fourth_row
// CHECK: tile.alloc : <1 of 32x64xf16, swizzle = [0, 0, {{[124], [124], [124]}}]>
// CHECK: tile.shared_load {{.*}} : <1 of 32x64xf16, swizzle = [0, 0,
// REMARK: store to shared memory: 4 accesses of 16 bytes a thread, bank conflict degree 1
// REMARK: load from shared memory: 32 accesses of 16 bytes a thread, bank conflict degree 1
#written = #tile.layout<lane = [0, 8, 0, 16, 0, 32, 1, 0, 2, 0], reg = [0, 1, 0, 2, 0, 4], rep = [4, 1], warp = [4, 0]>
#owned = #tile.layout<lane = [4, 0, 8, 0, 16, 0, 0, 0, 0, 0], reg = [0, 1, 0, 2, 0, 4, 1, 0, 2, 0], rep = [1, 8], warp = [0, 0]>
func.func @every_fourth_row(
    %x: !tile.view<32x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [32, 64]},
    %y: !tile.view<32x64xf16> {tile.name = "y", tile.access = "out", tile.extents = [32, 64]})
    attributes {tile.kernel, tile.aligned} {
  %v = tile.load %x[all 32, all 64] : !tile.view<32x64xf16> -> tensor<32x64xf16, #written>
  %b = tile.alloc : !tile.shared<1 of 32x64xf16>
  tile.shared_store %v, %b : tensor<32x64xf16, #written> -> !tile.shared<1 of 32x64xf16>
  tile.barrier
  %w = tile.shared_load %b : !tile.shared<1 of 32x64xf16> -> tensor<32x64xf16, #owned>
  tile.store %w, %y[all 32, all 64] : tensor<32x64xf16, #owned> -> !tile.view<32x64xf16>
  return
}

// Read by ldmatrix, eight rows that follow each other: the standard map serves it.
// CHECK-LABEL: func.func @matrices
// CHECK: tile.alloc : <1 of 16x64xf16>
// CHECK: return
#fragment = #tile.layout<lane = [0, 2, 0, 4, 1, 0, 2, 0, 4, 0], reg = [0, 1, 8, 0, 0, 8], rep = [1, 4]>
#rows = #tile.layout<lane = [0, 8, 0, 16, 0, 32, 1, 0, 2, 0], reg = [0, 1, 0, 2, 0, 4], rep = [4, 1]>
func.func @matrices(
    %x: !tile.view<16x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [16, 64]},
    %y: !tile.view<16x64xf16> {tile.name = "y", tile.access = "out", tile.extents = [16, 64]})
    attributes {tile.kernel, tile.aligned} {
  %v = tile.load %x[all 16, all 64] : !tile.view<16x64xf16> -> tensor<16x64xf16, #rows>
  %b = tile.alloc : !tile.shared<1 of 16x64xf16>
  tile.shared_store %v, %b : tensor<16x64xf16, #rows> -> !tile.shared<1 of 16x64xf16>
  tile.barrier
  %w = tile.shared_load %b : !tile.shared<1 of 16x64xf16> -> tensor<16x64xf16, #fragment>
  tile.store %w, %y[all 16, all 64] : tensor<16x64xf16, #fragment> -> !tile.view<16x64xf16>
  return
}
