// What reductions, scans, gathers and odd accesses become on a CPU.
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx2 --tile-lower-cpu=target=cpu-avx2 | FileCheck %s

// Registers pairwise, then three halvings of 8 lanes, and lane 0.
// CHECK-LABEL: func.func @sum(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CHECK: %[[A:.*]] = llvm.load {{.*}} -> vector<8xf32>
// CHECK: %[[B:.*]] = llvm.load {{.*}} -> vector<8xf32>
// CHECK: arith.addf %[[A]], %[[B]] : vector<8xf32>
// CHECK-COUNT-3: vector.shuffle
// CHECK: vector.extract
// CHECK: llvm.store {{.*}} : f32, !llvm.ptr
func.func @sum(%N: index {tile.dim = "N"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %i = tile.program 0 of %N by 16
  %v = tile.load %x[%i for 16] : !tile.view<?xf32> -> tensor<16xf32>
  %s = tile.reduce sum %v along 0 : tensor<16xf32> -> tensor<1xf32>
  tile.store %s, %y[%i for 1] : tensor<1xf32> -> !tile.view<?xf32>
  return
}

// A gather reads whole rows, each from its own pointer; a bound on rows selects pointers instead of masking lanes.
// CHECK-LABEL: func.func @rows
// CHECK-COUNT-2: vector.extract {{.*}} : i32 from vector<2xi32>
// CHECK-NOT: masked
// CHECK: arith.select {{.*}} : !llvm.ptr
func.func @rows(%N: index {tile.dim = "N"},
    %x: !tile.view<?x8xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N", 8]},
    %at: !tile.view<?xi32> {tile.name = "at", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?x8xf32> {tile.name = "y", tile.access = "out", tile.extents = ["N", 8]}) attributes {tile.kernel} {
  %i = tile.program 0 of %N by 2
  %p = tile.load %at[%i for 2] : !tile.view<?xi32> -> tensor<2xi32>
  %v = tile.load %x[each %p for 2, all 8] : !tile.view<?x8xf32> -> tensor<2x8xf32>
  tile.store %v, %y[%i for 2 until %N, all 8] : tensor<2x8xf32> -> !tile.view<?x8xf32>
  return
}

// AVX2 masks 32-bit lanes, not 16-bit ones: those take a loop.
// CHECK-LABEL: func.func @edges
// CHECK: llvm.intr.masked.load
// CHECK: scf.for
// CHECK: llvm.extractelement
func.func @edges(%N: index {tile.dim = "N"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf16> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %i = tile.program 0 of %N by 8
  %v = tile.load %x[%i for 8 until %N] : !tile.view<?xf32> -> tensor<8xf32>
  %h = arith.truncf %v : tensor<8xf32> to tensor<8xf16>
  tile.store %h, %y[%i for 8 until %N] : tensor<8xf16> -> !tile.view<?xf16>
  return
}

// CHECK-LABEL: func.func @add
// CHECK-COUNT-8: llvm.atomicrmw fadd
func.func @add(%N: index {tile.dim = "N"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["N"]},
    %y: !tile.view<?xf32> {tile.name = "y", tile.access = "inout", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %i = tile.program 0 of %N by 8
  %v = tile.load %x[%i for 8] : !tile.view<?xf32> -> tensor<8xf32>
  %t = tile.scan %v along 0 : tensor<8xf32>
  tile.atomic_add %t, %y[%c0 for 8] : tensor<8xf32> -> !tile.view<?xf32>
  return
}
