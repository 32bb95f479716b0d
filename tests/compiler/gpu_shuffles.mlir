// What stays within a warp moves by shuffles where they cost less than shared memory and its barrier; what crosses
// warps, or is wanted by many lanes at once, goes through shared memory.
// RUN: tessera-opt %s --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers | FileCheck %s --check-prefix=STAGE
// RUN: tessera-opt %s --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOWER

#quads = #tile.layout<lane = [0, 0, 0, 0, 1, 0, 2, 0, 4, 0], reg = [8, 0], rep = [1, 1]>
#spread = #tile.layout<lane = [1, 0, 2, 0, 4, 0, 8, 0, 0, 0], reg = [], rep = [1, 1]>

// A number for each of 16 rows, which quads hold in pairs, wanted one a lane: a copy of the quad's offers its second.
// STAGE-LABEL: func.func @quads_to_lanes
// STAGE-NOT: tile.alloc
// STAGE: tile.convert
// STAGE-NOT: tile.barrier
// LOWER-LABEL: func.func @quads_to_lanes
// LOWER: arith.select
// LOWER: llvm.nvvm.shfl.sync.idx.i32
// LOWER-NOT: llvm.nvvm.shfl.sync
// LOWER: return
func.func @quads_to_lanes(
    %x: !tile.view<16x1xf32> {tile.name = "x", tile.access = "in", tile.extents = [16, 1]},
    %y: !tile.view<16x1xf32> {tile.name = "y", tile.access = "out", tile.extents = [16, 1]}) attributes {tile.kernel} {
  %v = tile.load %x[all 16, all 1] : !tile.view<16x1xf32> -> tensor<16x1xf32, #quads>
  %w = tile.convert %v : tensor<16x1xf32, #quads> -> tensor<16x1xf32, #spread>
  tile.store %w, %y[all 16, all 1] : tensor<16x1xf32, #spread> -> !tile.view<16x1xf32>
  return
}

// Halves side by side in a thread travel as one word.
#rows = #tile.layout<lane = [0, 2, 0, 4, 1, 0, 2, 0, 4, 0], reg = [0, 1], rep = [1, 1]>
#turned = #tile.layout<lane = [1, 0, 2, 0, 4, 0, 0, 2, 0, 4], reg = [0, 1], rep = [1, 1]>
// STAGE-LABEL: func.func @pairs
// STAGE-NOT: tile.alloc
// STAGE: return
// LOWER-LABEL: func.func @pairs
// LOWER: llvm.nvvm.shfl.sync.idx.i32
// LOWER-NOT: llvm.nvvm.shfl.sync
// LOWER: return
func.func @pairs(
    %x: !tile.view<8x8xf16> {tile.name = "x", tile.access = "in", tile.extents = [8, 8]},
    %y: !tile.view<8x8xf16> {tile.name = "y", tile.access = "out", tile.extents = [8, 8]}) attributes {tile.kernel} {
  %v = tile.load %x[all 8, all 8] : !tile.view<8x8xf16> -> tensor<8x8xf16, #rows>
  %w = tile.convert %v : tensor<8x8xf16, #rows> -> tensor<8x8xf16, #turned>
  tile.store %w, %y[all 8, all 8] : tensor<8x8xf16, #turned> -> !tile.view<8x8xf16>
  return
}

// Two warps that exchange rows: only shared memory joins them.
#above = #tile.layout<lane = [1, 0, 2, 0, 4, 0, 0, 1, 0, 2], reg = [], rep = [1, 1], warp = [8, 0]>
#below = #tile.layout<lane = [1, 0, 2, 0, 8, 0, 0, 1, 0, 2], reg = [], rep = [1, 1], warp = [4, 0]>
// STAGE-LABEL: func.func @between_warps
// STAGE: tile.shared_store
// STAGE: tile.barrier
// STAGE: tile.shared_load
func.func @between_warps(
    %x: !tile.view<16x4xf32> {tile.name = "x", tile.access = "in", tile.extents = [16, 4]},
    %y: !tile.view<16x4xf32> {tile.name = "y", tile.access = "out", tile.extents = [16, 4]}) attributes {tile.kernel} {
  %v = tile.load %x[all 16, all 4] : !tile.view<16x4xf32> -> tensor<16x4xf32, #above>
  %w = tile.convert %v : tensor<16x4xf32, #above> -> tensor<16x4xf32, #below>
  tile.store %w, %y[all 16, all 4] : tensor<16x4xf32, #below> -> !tile.view<16x4xf32>
  return
}

// In a loop it waits in shared memory, which takes no register.
// STAGE-LABEL: func.func @in_a_loop
// STAGE: scf.for
// STAGE: tile.shared_store
// STAGE: tile.shared_load
func.func @in_a_loop(
    %x: !tile.view<16x1xf32> {tile.name = "x", tile.access = "in", tile.extents = [16, 1]},
    %y: !tile.view<16x1xf32> {tile.name = "y", tile.access = "out", tile.extents = [16, 1]}) attributes {tile.kernel} {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %many = arith.constant 8 : index
  %v = tile.load %x[all 16, all 1] : !tile.view<16x1xf32> -> tensor<16x1xf32, #quads>
  %sum = scf.for %i = %zero to %many step %one iter_args(%s = %v) -> tensor<16x1xf32, #quads> {
    %t = arith.addf %s, %s : tensor<16x1xf32, #quads>
    %w = tile.convert %t : tensor<16x1xf32, #quads> -> tensor<16x1xf32, #spread>
    tile.store %w, %y[all 16, all 1] : tensor<16x1xf32, #spread> -> !tile.view<16x1xf32>
    scf.yield %t : tensor<16x1xf32, #quads>
  }
  return
}
