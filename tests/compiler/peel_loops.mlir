// RUN: tessera-opt %s --tile-peel-loops | FileCheck %s

// CHECK-LABEL: func.func @sum
// CHECK: %[[REST:.*]] = arith.remui %[[N:.*]], %{{.*}}
// CHECK: %[[END:.*]] = arith.subi %[[N]], %[[REST]]
// CHECK: %[[MAIN:.*]] = scf.for %{{.*}} = %{{.*}} to %[[END]]
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: scf.for %{{.*}} = %[[END]] to %[[N]] {{.*}} iter_args(%{{.*}} = %[[MAIN]])
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %[[N]]] :
func.func @sum(%N: index {tile.dim = "N"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  %total = scf.for %i = %c0 to %N step %c16 iter_args(%sum = %zero) -> (tensor<16xf32>) {
    %v = tile.load %x[%i for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
    %next = arith.addf %sum, %v : tensor<16xf32>
    scf.yield %next : tensor<16xf32>
  }
  tile.store %total, %y[%c0 for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  return
}

// Whole by its divisor: no second loop.
// CHECK-LABEL: func.func @whole
// CHECK: scf.for
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK-NOT: scf.for
// CHECK: return
func.func @whole(%N: index {tile.dim = "N", tile.divisor = 32 : i64},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  scf.for %i = %c0 to %N step %c16 {
    %v = tile.load %x[%i for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
    tile.store %v, %y[%i for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  }
  return
}

// Parts of a block, and a block that was moved (to where it begins in its page), are whole where the block is.
// CHECK-LABEL: func.func @parts
// CHECK: scf.for
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: scf.for
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
func.func @parts(%N: index {tile.dim = "N"}, %P: index {tile.dim = "P"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %page: !tile.view<?xf32> {tile.name = "page", tile.access = "in", tile.extents = ["P"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  %total = scf.for %i = %c0 to %N step %c32 iter_args(%sum = %zero) -> (tensor<16xf32>) {
    %half = arith.addi %i, %c16 : index
    %v = tile.load %x[%half for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
    %at = arith.remui %i, %c32 : index
    %move = arith.subi %at, %i : index
    %end = arith.addi %N, %move : index
    %w = tile.load %page[%at for 16 until %end] : !tile.view<?xf32> -> tensor<16xf32>
    %both = arith.addf %v, %w : tensor<16xf32>
    %next = arith.addf %sum, %both : tensor<16xf32>
    scf.yield %next : tensor<16xf32>
  }
  tile.store %total, %y[%c0 for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  return
}

// What the user's own bound selects is decided where whole steps run.
// CHECK-LABEL: func.func @where
// CHECK: %[[MAIN:.*]] = scf.for
// CHECK: %[[V:.*]] = tile.load %{{.*}}[%{{.*}} for 16] :
// CHECK: arith.addf %{{.*}}, %[[V]]
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[MAIN]])
// CHECK: %[[KEPT:.*]] = arith.select
// CHECK: arith.addf %{{.*}}, %[[KEPT]]
func.func @where(%N: index {tile.dim = "N"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %one = arith.constant dense<1.0> : tensor<16xf32>
  %bound = arith.index_cast %N : index to i32
  %limit = tile.splat %bound : i32 -> tensor<16xi32>
  %total = scf.for %i = %c0 to %N step %c16 iter_args(%sum = %one) -> (tensor<16xf32>) {
    %at = tile.iota %i : tensor<16xi32>
    %within = arith.cmpi slt, %at, %limit : tensor<16xi32>
    %v = tile.load %x[%i for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
    %kept = arith.select %within, %v, %one : tensor<16xi1>, tensor<16xf32>
    %next = arith.addf %sum, %kept : tensor<16xf32>
    scf.yield %next : tensor<16xf32>
  }
  tile.store %total, %y[%c0 for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  return
}

// The edge of an aligned kernel keeps one loop: its interior has whole steps.
// CHECK-LABEL: func.func @edge
// CHECK: else
// CHECK: scf.for
// CHECK: tile.load %{{.*}}[%{{.*}} for 16 until %{{.*}}] :
// CHECK-NOT: scf.for
// CHECK: return
func.func @edge(%N: index {tile.dim = "N"}, %inside: i1,
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  scf.if %inside {
    tile.store %zero, %y[%c0 for 16] : tensor<16xf32> -> !tile.view<?xf32>
  } else {
    %total = scf.for %i = %c0 to %N step %c16 iter_args(%sum = %zero) -> (tensor<16xf32>) {
      %v = tile.load %x[%i for 16 until %N] : !tile.view<?xf32> -> tensor<16xf32>
      %next = arith.addf %sum, %v : tensor<16xf32>
      scf.yield %next : tensor<16xf32>
    }
    tile.store %total, %y[%c0 for 16 until %N] : tensor<16xf32> -> !tile.view<?xf32>
  }
  return
}
