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

// N/2 in multiples of four is N in multiples of eight, 3M in multiples of four is M in multiples of four.
// CHECK: func.func @parts_aligned(%{{.*}}: index {tile.dim = "N", tile.divisor = 8 : i64}
// CHECK-SAME: %{{.*}}: index {tile.dim = "M", tile.divisor = 4 : i64}
// CHECK-SAME: tile.dim = "N/2", tile.divisor = 4 : i64
// CHECK-SAME: tile.dim = "M*3", tile.divisor = 4 : i64
func.func @parts(%N: index {tile.dim = "N"}, %M: index {tile.dim = "M"},
    %half: index {tile.dim = "N/2", tile.scaled = array<i64: 0, 1, 2>},
    %triple: index {tile.dim = "M*3", tile.scaled = array<i64: 1, 3, 1>},
    %x: !tile.view<?x?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["M", "N/2"]},
    %y: !tile.view<?x?xf32> {tile.name = "y", tile.access = "in", tile.extents = ["N", "M*3"]}) attributes {tile.kernel} {
  %m = tile.program 0 of %M by 1
  %row = tile.load %x[%m, %m for 8 until %half] : !tile.view<?x?xf32> -> tensor<8xf32>
  %other = tile.load %y[%m, %m for 8 until %triple] : !tile.view<?x?xf32> -> tensor<8xf32>
  return
}
