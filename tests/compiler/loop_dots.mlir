// RUN: tessera-opt %s --tile-loop-dots=target=cpu-avx512 | FileCheck %s
// RUN: tessera-opt %s --tile-loop-dots=target=cpu-avx512 --tile-assign-layouts=target=cpu-avx512 --tile-verify-layouts --tile-lower-cpu=target=cpu-avx512 | FileCheck %s --check-prefix=CPU

// Scores of six queries: a step takes one square of the transpose, loaded where it is used; the computed left operand
// is stored once, outside the loop, and read k by k.
// CHECK-LABEL: func.func @scores
// CHECK: %[[SCALED:.*]] = arith.addf
// CHECK: %[[VIEW:.*]] = tile.scratch : <6x64xf32>
// CHECK: tile.store %[[SCALED]], %[[VIEW]][all 6, all 64]
// CHECK-NOT: tile.trans
// CHECK: scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (tensor<6x16xf32>)
// CHECK-DAG: tile.load %[[VIEW]][all 6, %[[K]] for 16] : <6x64xf32> -> tensor<6x16xf32>
// CHECK-DAG: %[[KEY:.*]] = tile.load %arg2[%{{.*}} for 16, %[[K]] for 16] : <?x64xf16> -> tensor<16x16xf16>
// CHECK: %[[WIDE:.*]] = arith.extf %[[KEY]] : tensor<16x16xf16> to tensor<16x16xf32>
// CHECK: tile.trans %[[WIDE]]
// CHECK: tile.dot {{.*}}, %[[ACC]] : tensor<6x16xf32>, tensor<16x16xf32> -> tensor<6x16xf32>

// The scratch is reserved once, where the function begins, not in a loop.
// CPU-LABEL: func.func @scores
// CPU-COUNT-3: llvm.alloca
// CPU: scf.for
// CPU-NOT: llvm.alloca
// CPU-LABEL: func.func @written
func.func @scores(%N: index {tile.dim = "N"},
    %q: !tile.view<?x64xf32> {tile.name = "q", tile.access = "in", tile.extents = ["N", 64]},
    %k: !tile.view<?x64xf16> {tile.name = "k", tile.access = "in", tile.extents = ["N", 64]},
    %y: !tile.view<?x16xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N", 16]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<6x16xf32>
  %a = tile.load %q[%c0 for 6, all 64] : !tile.view<?x64xf32> -> tensor<6x64xf32>
  %scaled = arith.addf %a, %a : tensor<6x64xf32>
  %b = tile.load %k[%c0 for 16, all 64] : !tile.view<?x64xf16> -> tensor<16x64xf16>
  %w = arith.extf %b : tensor<16x64xf16> to tensor<16x64xf32>
  %t = tile.trans %w : tensor<16x64xf32> -> tensor<64x16xf32>
  %d = tile.dot %scaled, %t, %zero : tensor<6x64xf32>, tensor<64x16xf32> -> tensor<6x16xf32>
  tile.store %d, %y[%c0 for 6, all 16] : tensor<6x16xf32> -> !tile.view<?x16xf32>
  return
}

// What a kernel may write between the load and the dot is not loaded later.
// CHECK-LABEL: func.func @written
// CHECK: tile.load %arg1
// CHECK: tile.scratch
// CHECK: scf.for
// CHECK-NOT: tile.load %arg1
func.func @written(%N: index {tile.dim = "N"},
    %x: !tile.view<?x64xf32> {tile.name = "x", tile.access = "inout", tile.extents = ["N", 64]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<8x64xf32>
  %a = tile.load %x[%c0 for 8, all 64] : !tile.view<?x64xf32> -> tensor<8x64xf32>
  %b = tile.load %x[%c0 for 64, all 64] : !tile.view<?x64xf32> -> tensor<64x64xf32>
  tile.store %zero, %x[%c0 for 8, all 64] : tensor<8x64xf32> -> !tile.view<?x64xf32>
  %d = tile.dot %a, %b, %zero : tensor<8x64xf32>, tensor<64x64xf32> -> tensor<8x64xf32>
  tile.store %d, %x[%c0 for 8, all 64] : tensor<8x64xf32> -> !tile.view<?x64xf32>
  return
}

// A GEMM's own step stays whole.
// CHECK-LABEL: func.func @small
// CHECK-NOT: scf.for
func.func @small(%N: index {tile.dim = "N"},
    %x: !tile.view<?x8xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N", 8]},
    %w: !tile.view<?x32xf32> {tile.name = "w", tile.access = "in", tile.extents = ["N", 32]},
    %y: !tile.view<?x32xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N", 32]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : tensor<12x32xf32>
  %a = tile.load %x[%c0 for 12, all 8] : !tile.view<?x8xf32> -> tensor<12x8xf32>
  %b = tile.load %w[%c0 for 8, all 32] : !tile.view<?x32xf32> -> tensor<8x32xf32>
  %d = tile.dot %a, %b, %zero : tensor<12x8xf32>, tensor<8x32xf32> -> tensor<12x32xf32>
  tile.store %d, %y[%c0 for 12, all 32] : tensor<12x32xf32> -> !tile.view<?x32xf32>
  return
}
