// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-split-masks | FileCheck %s
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-split-masks --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOWER

// Keys before the block's first row hide nothing: the first loop ends with the last whole step of them, and its loads
// are whole. The second one is as it was.
// CHECK-LABEL: func.func @causal
// CHECK: %[[WHOLE:.*]] = arith.minsi %{{.*}}, %{{.*}} : index
// CHECK: %[[SOME:.*]] = arith.maxsi %[[WHOLE]], %{{.*}} : index
// CHECK: %[[REST:.*]] = arith.remui %[[SOME]], %{{.*}} : index
// CHECK: %[[MIDDLE:.*]] = arith.subi %[[SOME]], %[[REST]] : index
// CHECK: %[[FIRST:.*]]:2 = scf.for %{{.*}} = %{{.*}} to %[[MIDDLE]] step
// CHECK-NOT: arith.cmpi
// CHECK-NOT: until
// CHECK: tile.dot
// CHECK-NOT: arith.select
// CHECK: scf.for %{{.*}} = %[[MIDDLE]] to %{{.*}} step %{{.*}} iter_args(%{{.*}} = %[[FIRST]]#0, %{{.*}} = %[[FIRST]]#1)
// CHECK: arith.cmpi sle
// CHECK: tile.load %{{.*}} until
// CHECK: arith.select
// The last loop compares one register, in which positions of thread, row and step have met, with constants.
// LOWER-LABEL: func.func @causal
// LOWER: scf.for
// LOWER-NOT: arith.cmpi sle
// LOWER: scf.for
// LOWER: arith.cmpi sle, %[[DISTANCE:[0-9]+]], %{{.*}} : i32
// LOWER-NEXT: %[[C:.*]] = arith.constant -1 : i32
// LOWER-NEXT: arith.cmpi sle, %[[DISTANCE]], %[[C]] : i32
// LOWER-NEXT: %[[C:.*]] = arith.constant 8 : i32
// LOWER-NEXT: arith.cmpi sle, %[[DISTANCE]], %[[C]] : i32
// LOWER-NEXT: %[[C:.*]] = arith.constant 7 : i32
// LOWER-NEXT: arith.cmpi sle, %[[DISTANCE]], %[[C]] : i32
func.func @causal(%N: index {tile.dim = "N"}, %M: index {tile.dim = "M"},
    %q: !tile.view<64x16xf16> {tile.name = "q", tile.access = "in", tile.extents = [64, 16]},
    %k: !tile.view<?x16xf16> {tile.name = "k", tile.access = "in", tile.extents = ["N", 16]},
    %y: !tile.view<64x32xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 32]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %least = arith.constant dense<-1.0e30> : tensor<64x1xf32>
  %masked = arith.constant dense<0xFF800000> : tensor<64x32xf32>
  %a = tile.load %q[all 64, all 16] : !tile.view<64x16xf16> -> tensor<64x16xf16>
  %first = arith.index_cast %M : index to i32
  %i = tile.iota %c0 : tensor<64xi32>
  %rows = tile.reshape %i : tensor<64xi32> -> tensor<64x1xi32>
  %from = tile.splat %first : i32 -> tensor<64x1xi32>
  %position = arith.addi %rows, %from : tensor<64x1xi32>
  %positions = tile.broadcast %position : tensor<64x1xi32> -> tensor<64x32xi32>
  %all:2 = scf.for %at = %c0 to %N step %c32 iter_args(%sum = %zero, %top = %least) -> (tensor<64x32xf32>, tensor<64x1xf32>) {
    %j = tile.iota %at : tensor<32xi32>
    %columns = tile.reshape %j : tensor<32xi32> -> tensor<1x32xi32>
    %keys = tile.broadcast %columns : tensor<1x32xi32> -> tensor<64x32xi32>
    %visible = arith.cmpi sle, %keys, %positions : tensor<64x32xi32>
    %b = tile.load %k[%at for 32 until %N, all 16] : !tile.view<?x16xf16> -> tensor<32x16xf16>
    %t = tile.trans %b : tensor<32x16xf16> -> tensor<16x32xf16>
    %s = tile.dot %a, %t, %zero : tensor<64x16xf16>, tensor<16x32xf16> -> tensor<64x32xf32>
    %score = arith.select %visible, %s, %masked : tensor<64x32xi1>, tensor<64x32xf32>
    %most = tile.reduce max %score along 1 : tensor<64x32xf32> -> tensor<64x1xf32>
    %next = arith.maxnumf %top, %most : tensor<64x1xf32>
    %wide = tile.broadcast %next : tensor<64x1xf32> -> tensor<64x32xf32>
    %p = arith.subf %score, %wide : tensor<64x32xf32>
    %more = arith.addf %sum, %p : tensor<64x32xf32>
    scf.yield %more, %next : tensor<64x32xf32>, tensor<64x1xf32>
  }
  tile.store %all#0, %y[all 64, all 32] : tensor<64x32xf32> -> !tile.view<64x32xf32>
  return
}

// A window hides keys of the first steps: its comparison stays, that with the diagonal goes.
// CHECK-LABEL: func.func @window
// CHECK: scf.for
// CHECK-NOT: arith.cmpi sle
// CHECK: %[[NEAR:.*]] = arith.cmpi slt
// CHECK: arith.select %[[NEAR]]
// CHECK: scf.for
// CHECK: arith.cmpi sle
// CHECK: arith.cmpi slt
// CHECK: arith.andi
func.func @window(%N: index {tile.dim = "N"}, %M: index {tile.dim = "M"},
    %q: !tile.view<64x16xf16> {tile.name = "q", tile.access = "in", tile.extents = [64, 16]},
    %k: !tile.view<?x16xf16> {tile.name = "k", tile.access = "in", tile.extents = ["N", 16]},
    %y: !tile.view<64x32xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 32]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %width = arith.constant dense<100> : tensor<64x32xi32>
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %masked = arith.constant dense<0xFF800000> : tensor<64x32xf32>
  %a = tile.load %q[all 64, all 16] : !tile.view<64x16xf16> -> tensor<64x16xf16>
  %i = tile.iota %M : tensor<64xi32>
  %rows = tile.reshape %i : tensor<64xi32> -> tensor<64x1xi32>
  %positions = tile.broadcast %rows : tensor<64x1xi32> -> tensor<64x32xi32>
  %all = scf.for %at = %c0 to %N step %c32 iter_args(%sum = %zero) -> (tensor<64x32xf32>) {
    %j = tile.iota %at : tensor<32xi32>
    %columns = tile.reshape %j : tensor<32xi32> -> tensor<1x32xi32>
    %keys = tile.broadcast %columns : tensor<1x32xi32> -> tensor<64x32xi32>
    %before = arith.cmpi sle, %keys, %positions : tensor<64x32xi32>
    %distance = arith.subi %positions, %keys : tensor<64x32xi32>
    %near = arith.cmpi slt, %distance, %width : tensor<64x32xi32>
    %visible = arith.andi %before, %near : tensor<64x32xi1>
    %b = tile.load %k[%at for 32 until %N, all 16] : !tile.view<?x16xf16> -> tensor<32x16xf16>
    %t = tile.trans %b : tensor<32x16xf16> -> tensor<16x32xf16>
    %s = tile.dot %a, %t, %zero : tensor<64x16xf16>, tensor<16x32xf16> -> tensor<64x32xf32>
    %score = arith.select %visible, %s, %masked : tensor<64x32xi1>, tensor<64x32xf32>
    %more = arith.maxnumf %sum, %score : tensor<64x32xf32>
    scf.yield %more : tensor<64x32xf32>
  }
  tile.store %all, %y[all 64, all 32] : tensor<64x32xf32> -> !tile.view<64x32xf32>
  return
}

// Without a product the loads of a step hide its masks, and an entry for any sizes stays short.
// CHECK-LABEL: func.func @small
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func @small(%N: index {tile.dim = "N"}, %M: index {tile.dim = "M"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<128xf32> {tile.name = "y", tile.access = "out", tile.extents = [128]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<128xf32>
  %first = arith.index_cast %M : index to i32
  %end = tile.splat %first : i32 -> tensor<128xi32>
  %all = scf.for %at = %c0 to %N step %c128 iter_args(%sum = %zero) -> (tensor<128xf32>) {
    %j = tile.iota %at : tensor<128xi32>
    %before = arith.cmpi slt, %j, %end : tensor<128xi32>
    %v = tile.load %x[%at for 128 until %N] : !tile.view<?xf32> -> tensor<128xf32>
    %w = arith.select %before, %v, %zero : tensor<128xi1>, tensor<128xf32>
    %more = arith.addf %sum, %w : tensor<128xf32>
    scf.yield %more : tensor<128xf32>
  }
  tile.store %all, %y[all 128] : tensor<128xf32> -> !tile.view<128xf32>
  return
}
