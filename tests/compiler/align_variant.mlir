// RUN: tessera-opt %s --tile-align-variant | FileCheck %s

// CHECK: func.func @copy({{.*}}tile.dim = "N"}
// CHECK: func.func @copy_aligned({{.*}}tile.dim = "N", tile.divisor = 8 : i64}
// CHECK-SAME: tile.aligned
func.func @copy(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"},
    %x: !tile.view<?x?xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %m = tile.program 0 of %M by 1
  %row = tile.load %x[%m, %m for 8 until %N] : !tile.view<?x?xf16> -> tensor<8xf16>
  return
}

// One element of a row at a time: where rows start does not matter.
// CHECK: func.func @table_aligned({{.*}}tile.dim = "N"}
func.func @table(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"},
    %x: !tile.view<?x?xi32> {tile.name = "x", tile.access = "in", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %m = tile.program 0 of %M by 1
  %page = tile.load %x[%m, %m] : !tile.view<?x?xi32> -> i32
  return
}
