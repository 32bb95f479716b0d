// A loop without a product is told to stay rolled: ptxas would otherwise take several steps together, and their registers.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=t4 --tile-stage-shared --tile-place-shared=target=t4 --tile-insert-barriers --tile-lower-gpu=target=t4 --convert-scf-to-cf | FileCheck %s

// CHECK: #[[ROLLED:.*]] = #llvm.loop_annotation<unroll = #{{.*}}>
// CHECK-LABEL: func.func @sums
// CHECK: cf.br {{.*}} {loop_annotation = #[[ROLLED]]}
// CHECK: llvm.store
func.func @sums(%D: index {tile.dim = "D"},
    %x: !tile.view<?xf32> {tile.name = "x", tile.access = "in", tile.extents = ["D"]},
    %y: !tile.view<128xf32> {tile.name = "y", tile.access = "out", tile.extents = [128]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<128xf32>
  %sum = scf.for %i = %c0 to %D step %c128 iter_args(%acc = %zero) -> tensor<128xf32> {
    %v = tile.load %x[%i for 128 until %D] : !tile.view<?xf32> -> tensor<128xf32>
    %next = arith.addf %acc, %v : tensor<128xf32>
    scf.yield %next : tensor<128xf32>
  }
  tile.store %sum, %y[all 128] : tensor<128xf32> -> !tile.view<128xf32>
  return
}

// CHECK-LABEL: func.func @products
// CHECK-NOT: loop_annotation
// CHECK: return
func.func @products(%K: index {tile.dim = "K", tile.divisor = 16 : i64},
    %a: !tile.view<16x?xf16> {tile.name = "a", tile.access = "in", tile.extents = [16, "K"]},
    %b: !tile.view<?x16xf16> {tile.name = "b", tile.access = "in", tile.extents = ["K", 16]},
    %c: !tile.view<16x16xf32> {tile.name = "c", tile.access = "out", tile.extents = [16, 16]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %sum = scf.for %i = %c0 to %K step %c16 iter_args(%acc = %zero) -> tensor<16x16xf32> {
    %l = tile.load %a[all 16, %i for 16] : !tile.view<16x?xf16> -> tensor<16x16xf16>
    %r = tile.load %b[%i for 16, all 16] : !tile.view<?x16xf16> -> tensor<16x16xf16>
    %next = tile.dot %l, %r, %acc : tensor<16x16xf16>, tensor<16x16xf16> -> tensor<16x16xf32>
    scf.yield %next : tensor<16x16xf32>
  }
  tile.store %sum, %c[all 16, all 16] : tensor<16x16xf32> -> !tile.view<16x16xf32>
  return
}
