// RUN: tessera-opt %s --tile-split-edges | FileCheck %s

// CHECK-LABEL: func.func @ragged
// CHECK: scf.if
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}} for 16] :
// CHECK: } else {
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
func.func @ragged(%N: index {tile.dim = "N"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %n = tile.program 0 of %N by 16
  %v = tile.load %x[%n for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
  tile.store %v, %y[%n for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  return
}

// A size that is known to be whole blocks needs one body only; so does a bound scaled with its origin.
// CHECK-LABEL: func.func @whole
// CHECK-NOT: scf.if
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: tile.load %{{.*}}[%{{.*}} for 2] :
// CHECK-NOT: until
// CHECK: return
func.func @whole(%N: index {tile.dim = "N", tile.divisor = 32 : i64},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %s: !tile.view<?xf32> {tile.name = "s", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c8 = arith.constant 8 : index
  %n = tile.program 0 of %N by 16
  %group = arith.divui %n, %c8 : index
  %groups = arith.divui %N, %c8 : index
  %v = tile.load %x[%n for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
  %w = tile.load %s[%group for 2 until %groups] : !tile.view<?xf32> -> tensor<2xf32>
  tile.store %v, %y[%n for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  return
}

// Shifted by the same amount on both sides, inside stays inside; another bound proves nothing.
// CHECK-LABEL: func.func @shifted
// CHECK: scf.if
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
// CHECK: } else {
func.func @shifted(%N: index {tile.dim = "N"}, %D: index {tile.dim = "D"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["D"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %n = tile.program 0 of %N by 16
  %from = arith.addi %n, %D : index
  %to = arith.addi %N, %D : index
  %v = tile.load %x[%from for 16 until %to] : !tile.view<?xf32> -> tensor<16xf32>
  %w = tile.load %x[%n for 16 until %D] : !tile.view<?xf32> -> tensor<16xf32>
  %sum = arith.addf %v, %w : tensor<16xf32>
  tile.store %sum, %y[%n for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  return
}

// A program that takes one block after another: a loop that carries nothing is a body as well, in the aligned variant.
// CHECK-LABEL: func.func @walk
// CHECK: scf.for
// CHECK: scf.if
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}} for 16] :
// CHECK: } else {
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
// CHECK: return
func.func @walk(%N: index {tile.dim = "N"}, %W: index {tile.dim = "W"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c16 = arith.constant 16 : index
  %w = tile.program 0 of %W by 1
  %first = arith.muli %w, %c3 : index
  scf.for %i = %c0 to %c3 step %c1 {
    %block = arith.addi %first, %i : index
    %n = arith.muli %block, %c16 : index
    %v = tile.load %x[%n for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
    tile.store %v, %y[%n for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  }
  return
}
