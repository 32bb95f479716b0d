// A product's programs go through the grid in groups of rows; others keep the order of the grid. Where a launch has fewer
// blocks than programs each block takes several.
// RUN: tessera-opt %s --tile-walk-grid="target=a100" | FileCheck %s
// RUN: tessera-opt %s --tile-walk-grid="target=a100 raster=1" | FileCheck %s --check-prefix=OFF
// RUN: tessera-opt %s --tile-walk-grid="target=a100 raster=4" --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOWER
// RUN: tessera-opt %s --tile-walk-grid="target=a100 raster=1 persistent=1" --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers | FileCheck %s --check-prefix=STAY
// RUN: tessera-opt %s --tile-walk-grid="target=a100 raster=1 persistent=1" --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOOP

// CHECK-LABEL: func.func @product
// CHECK-SAME: tile.raster = 8 : i64
// CHECK-NOT: tile.persistent
// CHECK-LABEL: func.func @scores
// CHECK-NOT: tile.raster
// OFF-NOT: tile.raster

// Groups of four rows (the last may have fewer), columns of blocks within a group.
// LOWER-LABEL: func.func @product
// LOWER: %[[X:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.ctaid.x"
// LOWER: %[[Y:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.ctaid.y"
// LOWER: %[[ROWS:.*]] = arith.constant 4 : i32
// LOWER: %[[ALONG64:.*]] = arith.ceildivui %arg1
// LOWER: %[[ALONG:.*]] = arith.trunci %[[ALONG64]] : i64 to i32
// LOWER: %[[COLUMNS64:.*]] = arith.ceildivui %arg0
// LOWER: %[[COLUMNS:.*]] = arith.trunci %[[COLUMNS64]] : i64 to i32
// LOWER: %[[BEFORE:.*]] = arith.muli %{{.*}}, %[[ALONG]]
// LOWER: %[[LINEAR:.*]] = arith.addi %[[BEFORE]]
// LOWER: %[[SIZE:.*]] = arith.muli %[[COLUMNS]], %[[ROWS]]
// LOWER: %[[GROUP:.*]] = arith.divui %[[LINEAR]], %[[SIZE]]
// LOWER: %[[FIRST:.*]] = arith.muli %[[GROUP]], %[[ROWS]]
// LOWER: %[[IN:.*]] = arith.remui %[[LINEAR]], %[[SIZE]]
// LOWER: %[[LEFT:.*]] = arith.subi %[[ALONG]], %[[FIRST]]
// LOWER: %[[WIDTH:.*]] = arith.minui %[[LEFT]], %[[ROWS]]
// LOWER: arith.remui %[[IN]], %[[WIDTH]]
// LOWER: arith.divui %[[IN]], %[[WIDTH]]

// The next program must not overwrite what a slow thread still reads for this one: a barrier before the first store.
// STAY-LABEL: func.func @product
// STAY-SAME: tile.persistent
// STAY: tile.barrier
// STAY: tile.shared_store
// STAY: tile.barrier
// STAY: tile.shared_load

// LOOP-LABEL: func.func @product
// LOOP: arith.ceildivui %arg0
// LOOP: arith.ceildivui %arg1
// LOOP: %[[TOTAL:.*]] = arith.muli
// LOOP: ctaid.x
// LOOP: nctaid.x
// LOOP: scf.for %[[NUMBER:.*]] = %{{.*}} to %[[TOTAL]] step
// LOOP: arith.remui %[[NUMBER]]
// LOOP: llvm.nvvm.mma
func.func @product(%N: index {tile.dim = "N", tile.divisor = 32 : i64}, %M: index {tile.dim = "M", tile.divisor = 32 : i64},
    %A: !tile.view<?x16xf16> {tile.name = "A", tile.access = "in", tile.extents = ["M", 16]},
    %B: !tile.view<16x?xf16> {tile.name = "B", tile.access = "in", tile.extents = [16, "N"]},
    %C: !tile.view<?x?xf32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<32x32xf32>
  %n = tile.program 0 of %N by 32
  %m = tile.program 1 of %M by 32
  %a = tile.load %A[%m for 32, all 16] : !tile.view<?x16xf16> -> tensor<32x16xf16>
  %b = tile.load %B[all 16, %n for 32] : !tile.view<16x?xf16> -> tensor<16x32xf16>
  %c = tile.dot %a, %b, %zero : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
  tile.store %c, %C[%m for 32, %n for 32] : tensor<32x32xf32> -> !tile.view<?x?xf32>
  return
}

// Both operands belong to one axis: its programs share nothing with their neighbours.
func.func @scores(%N: index {tile.dim = "N", tile.divisor = 32 : i64}, %M: index {tile.dim = "M", tile.divisor = 32 : i64},
    %A: !tile.view<?x16xf16> {tile.name = "A", tile.access = "in", tile.extents = ["M", 16]},
    %C: !tile.view<?x32xf32> {tile.name = "C", tile.access = "out", tile.extents = ["M", 32]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<32x32xf32>
  %n = tile.program 0 of %N by 32
  %m = tile.program 1 of %M by 32
  %a = tile.load %A[%m for 32, all 16] : !tile.view<?x16xf16> -> tensor<32x16xf16>
  %b = tile.trans %a : tensor<32x16xf16> -> tensor<16x32xf16>
  %c = tile.dot %a, %b, %zero : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
  tile.store %c, %C[%m for 32, all 32] : tensor<32x32xf32> -> !tile.view<?x32xf32>
  return
}
