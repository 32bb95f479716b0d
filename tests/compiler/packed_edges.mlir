// A range over a packed tensor counts values: the second scale of a step is there if more than 32 values are left, not
// if more than 1 is.
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx512vnni --tile-lower-cpu=target=cpu-avx512vnni | FileCheck %s

// CHECK: %[[ROOM:.*]] = arith.subi %{{.*}}, %{{.*}} : i64
// CHECK: %[[STEPS:.*]] = arith.constant dense<[0, 32]> : vector<2xi32>
// CHECK: arith.cmpi slt, %[[STEPS]], %{{.*}} : vector<2xi32>
func.func @scales(%N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 32 : i64},
    %W: !tile.view<?x?x!tile.packed<"q8_0">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %y: !tile.view<?x2xf16> {tile.name = "y", tile.access = "out", tile.extents = ["N", 2]}) attributes {tile.kernel} {
  %k = arith.constant 64 : index
  %n = tile.program 0 of %N by 1
  %s = tile.load scales %W[%n, %k for 64 until %K] : !tile.view<?x?x!tile.packed<"q8_0">> -> tensor<2xf16>
  tile.store %s, %y[%n, all 2] : tensor<2xf16> -> !tile.view<?x2xf16>
  return
}
