// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=a100 warps=4" --tile-stage-shared --tile-limit-registers=target=a100 | FileCheck %s
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=t4 warps=4" --tile-stage-shared --tile-limit-registers=target=t4 | FileCheck %s --check-prefix=TURING

// Carried 64 + 2, scores 16, what stays of q 32, keys on their way 16, and 34 beside: as many as three blocks leave. A
// T4's products of half the depth take 16 more.
// CHECK-LABEL: func.func @chained
// CHECK-SAME: tile.register_limit = 168 : i64
// TURING-LABEL: func.func @chained
// TURING-SAME: tile.register_limit = 184 : i64
func.func @chained(%N: index {tile.dim = "N"},
    %q: !tile.view<64x128xf16> {tile.name = "q", tile.access = "in", tile.extents = [64, 128]},
    %k: !tile.view<?x128xf16> {tile.name = "k", tile.access = "in", tile.extents = ["N", 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %none = arith.constant dense<0.0> : tensor<64x32xf32>
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %least = arith.constant dense<-1.0e30> : tensor<64x1xf32>
  %a = tile.load %q[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %all:2 = scf.for %at = %c0 to %N step %c32 iter_args(%sum = %zero, %top = %least) -> (tensor<64x128xf32>, tensor<64x1xf32>) {
    %b = tile.load %k[%at for 32 until %N, all 128] : !tile.view<?x128xf16> -> tensor<32x128xf16>
    %t = tile.trans %b : tensor<32x128xf16> -> tensor<128x32xf16>
    %s = tile.dot %a, %t, %none : tensor<64x128xf16>, tensor<128x32xf16> -> tensor<64x32xf32>
    %most = tile.reduce max %s along 1 : tensor<64x32xf32> -> tensor<64x1xf32>
    %next = arith.maxnumf %top, %most : tensor<64x1xf32>
    %wide = tile.broadcast %next : tensor<64x1xf32> -> tensor<64x32xf32>
    %p = arith.subf %s, %wide : tensor<64x32xf32>
    %e = math.exp2 %p : tensor<64x32xf32>
    %h = arith.truncf %e : tensor<64x32xf32> to tensor<64x32xf16>
    %more = tile.dot %h, %b, %sum : tensor<64x32xf16>, tensor<32x128xf16> -> tensor<64x128xf32>
    scf.yield %more, %next : tensor<64x128xf32>, tensor<64x1xf32>
  }
  tile.store %all#0, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}

// One product a step holds what its sums say; tile-pipeline bounds it where that pays.
// CHECK-LABEL: func.func @single
// CHECK-NOT: register_limit
func.func @single(%N: index {tile.dim = "N"},
    %q: !tile.view<64x?xf16> {tile.name = "q", tile.access = "in", tile.extents = [64, "N"]},
    %k: !tile.view<?x64xf16> {tile.name = "k", tile.access = "in", tile.extents = ["N", 64]},
    %y: !tile.view<64x64xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 64]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %all = scf.for %at = %c0 to %N step %c32 iter_args(%sum = %zero) -> (tensor<64x64xf32>) {
    %a = tile.load %q[all 64, %at for 32 until %N] : !tile.view<64x?xf16> -> tensor<64x32xf16>
    %b = tile.load %k[%at for 32 until %N, all 64] : !tile.view<?x64xf16> -> tensor<32x64xf16>
    %more = tile.dot %a, %b, %sum : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %more : tensor<64x64xf32>
  }
  tile.store %all, %y[all 64, all 64] : tensor<64x64xf32> -> !tile.view<64x64xf32>
  return
}
