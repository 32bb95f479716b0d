// How a GPU's block shares tiles: an f16 dot takes tensor-core fragments, loads the widest coalesced access, and what
// lies between goes through shared memory with the barriers that it needs and no more.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-verify-layouts | FileCheck %s --check-prefix=LAYOUT
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers | FileCheck %s --check-prefix=STAGE
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOWER

// LAYOUT-LABEL: func.func @product
// LAYOUT: %[[A:.*]] = tile.load
// LAYOUT: tile.convert %[[A]] {{.*}} -> tensor<32x16xf16, #tile.layout<lane = [0, 2, 0, 4, 1, 0, 2, 0, 4, 0], reg = [0, 1, 8, 0, 0, 8]
// LAYOUT: tile.dot {{.*}} -> tensor<32x32xf32, #tile.layout<lane = [0, 2, 0, 4, 1, 0, 2, 0, 4, 0], reg = [0, 1, 8, 0]

// Both operands are written before one barrier, then read.
// STAGE-LABEL: func.func @product
// STAGE: tile.shared_store
// STAGE: tile.barrier
// STAGE-NOT: tile.barrier
// STAGE: tile.dot

// LOWER-LABEL: func.func @product
// LOWER: llvm.nvvm.barrier.cta.sync.aligned.all
// LOWER: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16
// LOWER: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16
// LOWER: llvm.nvvm.mma.m16n8k16.row.col.f32.f32
func.func @product(
    %x: !tile.view<32x16xf16> {tile.name = "x", tile.access = "in", tile.extents = [32, 16]},
    %w: !tile.view<16x32xf16> {tile.name = "w", tile.access = "in", tile.extents = [16, 32]},
    %y: !tile.view<32x32xf32> {tile.name = "y", tile.access = "out", tile.extents = [32, 32]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<32x32xf32>
  %a = tile.load %x[all 32, all 16] : !tile.view<32x16xf16> -> tensor<32x16xf16>
  %b = tile.load %w[all 16, all 32] : !tile.view<16x32xf16> -> tensor<16x32xf16>
  %c = tile.dot %a, %b, %zero : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
  tile.store %c, %y[all 32, all 32] : tensor<32x32xf32> -> !tile.view<32x32xf32>
  return
}

// A row that is reduced over several warps gets scratch for their parts; a row inside one warp gets none.
// STAGE-LABEL: func.func @total
// STAGE: tile.reduce sum {{.*}} through
// LOWER-LABEL: func.func @total
// LOWER-COUNT-5: llvm.nvvm.shfl.sync.bfly.i32
// LOWER: llvm.nvvm.barrier.cta.sync.aligned.all
func.func @total(
    %x: !tile.view<1x1024xf32> {tile.name = "x", tile.access = "in", tile.extents = [1, 1024]},
    %y: !tile.view<1x1xf32> {tile.name = "y", tile.access = "out", tile.extents = [1, 1]}) attributes {tile.kernel} {
  %v = tile.load %x[all 1, all 1024] : !tile.view<1x1024xf32> -> tensor<1x1024xf32>
  %s = tile.reduce sum %v along 1 : tensor<1x1024xf32> -> tensor<1x1xf32>
  tile.store %s, %y[all 1, all 1] : tensor<1x1xf32> -> !tile.view<1x1xf32>
  return
}

// One row against a panel: each lane reads its own row of the panel into registers, and nothing is shared.
// STAGE-LABEL: func.func @row_of_panels
// STAGE-NOT: tile.shared_store
// STAGE-NOT: tile.barrier
// STAGE: tile.dot
// LOWER-LABEL: func.func @row_of_panels
// LOWER-COUNT-8: llvm.nvvm.idp4a.s.u
func.func @row_of_panels(
    %x: !tile.view<1x32xi8> {tile.name = "x", tile.access = "in", tile.extents = [1, 32]},
    %w: !tile.view<32x32x!tile.packed<"q4_1">> {tile.name = "w", tile.access = "in", tile.extents = [32, 32]},
    %y: !tile.view<1x32xi32> {tile.name = "y", tile.access = "out", tile.extents = [1, 32]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0> : tensor<1x32xi32>
  %a = tile.load %x[all 1, all 32] : !tile.view<1x32xi8> -> tensor<1x32xi8>
  %b = tile.load codes %w[all 32, all 32] : !tile.view<32x32x!tile.packed<"q4_1">> -> tensor<32x32xi8>
  %t = tile.trans %b : tensor<32x32xi8> -> tensor<32x32xi8>
  %c = tile.dot %a, %t, %zero {rhs_unsigned} : tensor<1x32xi8>, tensor<32x32xi8> -> tensor<1x32xi32>
  tile.store %c, %y[all 1, all 32] : tensor<1x32xi32> -> !tile.view<1x32xi32>
  return
}
