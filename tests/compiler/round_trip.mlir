// Every tile operation prints as it parses, and its verifier accepts it.
// RUN: tessera-opt %s | tessera-opt | FileCheck %s

// CHECK-LABEL: func.func @gemm
// CHECK-SAME: !tile.view<?x?xf16> {tile.access = "in", tile.extents = ["M", "K"], tile.name = "A"}
func.func @gemm(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 16 : i64},
    %A: !tile.view<?x?xf16> {tile.name = "A", tile.access = "in", tile.extents = ["M", "K"]},
    %B: !tile.view<?x?xf16> {tile.name = "B", tile.access = "in", tile.extents = ["K", "N"]},
    %C: !tile.view<?x?xf32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  // CHECK: %[[m:[a-z0-9]+]] = tile.program 0 of %{{.+}} by 32
  %m = tile.program 0 of %M by 32
  %n = tile.program 1 of %N by 32
  %c0 = arith.constant 0 : index
  %step = arith.constant 16 : index
  %zero = arith.constant dense<0.0> : tensor<32x32xf32>
  // CHECK: scf.for
  %acc = scf.for %k = %c0 to %K step %step iter_args(%sum = %zero) -> (tensor<32x32xf32>) {
    // CHECK: tile.load %{{.+}}[%[[m]] for 32 until %{{.+}}, %{{.+}} for 16] : <?x?xf16> -> tensor<32x16xf16>
    %a = tile.load %A[%m for 32 until %M, %k for 16] : !tile.view<?x?xf16> -> tensor<32x16xf16>
    %b = tile.load %B[%k for 16, %n for 32 until %N] : !tile.view<?x?xf16> -> tensor<16x32xf16>
    // CHECK: tile.dot %{{.+}}, %{{.+}}, %{{.+}} : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
    %next = tile.dot %a, %b, %sum : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
    scf.yield %next : tensor<32x32xf32>
  }
  // CHECK: tile.store %{{.+}}, %{{.+}}[%[[m]] for 32 until %{{.+}}, %{{.+}} for 32 until %{{.+}}] : tensor<32x32xf32> -> <?x?xf32>
  tile.store %acc, %C[%m for 32 until %M, %n for 32 until %N] : tensor<32x32xf32> -> !tile.view<?x?xf32>
  return
}

// CHECK-LABEL: func.func @rest
func.func @rest(%V: index {tile.dim = "V"},
    %W: !tile.view<?x64x!tile.packed<"q4_1">> {tile.name = "W", tile.access = "in", tile.extents = ["V", 64]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "inout", tile.extents = ["V"]},
    %eps: f32 {tile.name = "eps", tile.access = "scalar"}) attributes {tile.kernel} {
  %v = tile.program 0 of %V by 8
  // CHECK: tile.load codes
  %codes = tile.load codes %W[%v for 8 until %V, all 64] : !tile.view<?x64x!tile.packed<"q4_1">> -> tensor<8x64xi8>
  // CHECK: tile.load scales
  %scales = tile.load scales %W[%v for 8 until %V, all 64] : !tile.view<?x64x!tile.packed<"q4_1">> -> tensor<8x2xf16>
  // CHECK: tile.iota
  %rows = tile.iota %v : tensor<8xi32>
  // CHECK: tile.splat
  %fill = tile.splat %eps : f32 -> tensor<8x64xf32>
  // CHECK: tile.trans
  %t = tile.trans %fill : tensor<8x64xf32> -> tensor<64x8xf32>
  // CHECK: tile.reshape
  %flat = tile.reshape %t : tensor<64x8xf32> -> tensor<512xf32>
  // CHECK: tile.reduce sum %{{.+}} along 1
  %sum = tile.reduce sum %fill along 1 : tensor<8x64xf32> -> tensor<8x1xf32>
  // CHECK: tile.broadcast
  %wide = tile.broadcast %sum : tensor<8x1xf32> -> tensor<8x64xf32>
  // CHECK: tile.scan
  %scan = tile.scan %wide along 0 : tensor<8x64xf32>
  // CHECK: tile.argmax
  %arg = tile.argmax %scan along 1 : tensor<8x64xf32> -> tensor<8x1xi32>
  %column = tile.reshape %sum : tensor<8x1xf32> -> tensor<8xf32>
  // CHECK: tile.store %{{.+}}, %{{.+}}[each %{{.+}} for 8] : tensor<8xf32> -> <?xf32>
  tile.store %column, %y[each %rows for 8] : tensor<8xf32> -> !tile.view<?xf32>
  return
}
