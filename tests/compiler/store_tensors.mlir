// What goes to a tensor through shared memory is stored by one thread as boxes of a tensor map. Interior and edge of a
// product are then one body. A tensor that the kernel reads too, or writes twice, is stored by all threads.
// RUN: tessera-opt %s --tile-split-edges --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-specialize-warps="target=h100 stages=3" --tile-store-tensors=target=h100 --tile-place-shared=target=h100 --tile-insert-barriers | FileCheck %s
// RUN: tessera-opt %s --tile-split-edges --tile-assign-gpu-layouts="target=a100 warps=4" --tile-stage-shared --tile-store-tensors=target=a100 | FileCheck %s --check-prefix=OTHER
// RUN: tessera-opt %s --tile-split-edges --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-specialize-warps="target=h100 stages=3" --tile-store-tensors=target=h100 --tile-place-shared=target=h100 --tile-insert-barriers --tile-lower-gpu=target=h100 | FileCheck %s --check-prefix=LOWER

// CHECK-LABEL: func.func @product
// CHECK-SAME: tile.maps = [array<i64: 2, 128, 64, 64>, array<i64: 3, 128, 64, 64>, array<i64: 4, 128, 64, 64>]
// CHECK-COUNT-1: tile.await {{.*}} plus 3
// CHECK-COUNT-1: tile.await {{.*}} plus 0
// CHECK-NOT: tile.await
// The ring's space is free once the loop is over.
// CHECK: tile.settle
// CHECK: %[[BUFFER:.*]] = tile.alloc {offset = 0 : i64} : <1 of 2x64x64xf16>
// CHECK: tile.shared_store {{.*}}, %[[BUFFER]]
// CHECK-NEXT: tile.barrier {tile.async_proxy}
// CHECK-NEXT: tile.tensor_store %[[BUFFER]], 2[%{{.*}}, %{{.*}}]
// CHECK-NOT: tile.store
// OTHER-NOT: tile.tensor_store
// OTHER: tile.store

// The buffers of two stores share space: the second is written when the first has been read.
// CHECK-LABEL: func.func @two
// CHECK: tile.alloc {offset = 0 : i64}
// CHECK: tile.tensor_store
// CHECK: tile.alloc {offset = 0 : i64}
// CHECK: tile.barrier {tile.stores_read}
// CHECK-NEXT: tile.shared_store
// CHECK: tile.barrier {tile.async_proxy}
// CHECK-NEXT: tile.tensor_store

// CHECK-LABEL: func.func @read_too
// CHECK-NOT: tile.tensor_store
// CHECK-LABEL: func.func @written_twice
// CHECK-NOT: tile.tensor_store
// CHECK-LABEL: func.func @unaligned
// CHECK-NOT: tile.tensor_store

// LOWER-LABEL: func.func @product
// LOWER-COUNT-2: "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [$1, {$2, $3}], [$0];"
// LOWER: "cp.async.bulk.commit_group;"
// LOWER-COUNT-1: "cp.async.bulk.wait_group.read 0;"
// LOWER-NEXT: return
// LOWER-LABEL: func.func @two
// LOWER: "cp.async.bulk.wait_group.read 0;"
// LOWER-NEXT: {{.*}}arith.constant
// LOWER: barrier.cta.sync
func.func @product(
    %M: index {tile.dim = "M"}, %N: index {tile.dim = "N", tile.divisor = 8 : i64},
    %x: !tile.view<?x256xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", 256]},
    %w: !tile.view<256x?xf16> {tile.name = "w", tile.access = "in", tile.extents = [256, "N"]},
    %y: !tile.view<?x?xf16> {tile.name = "y", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c256 = arith.constant 256 : index
  %m = tile.program 0 of %M by 64
  %n = tile.program 1 of %N by 128
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %i = %c0 to %c256 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
    %a = tile.load %x[%m for 64 until %M, %i for 64] : !tile.view<?x256xf16> -> tensor<64x64xf16>
    %b = tile.load %w[%i for 64, %n for 128 until %N] : !tile.view<256x?xf16> -> tensor<64x128xf16>
    %c = tile.dot %a, %b, %acc : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
    scf.yield %c : tensor<64x128xf32>
  }
  %half = arith.truncf %sum : tensor<64x128xf32> to tensor<64x128xf16>
  tile.store %half, %y[%m for 64 until %M, %n for 128 until %N] : tensor<64x128xf16> -> !tile.view<?x?xf16>
  return
}
func.func @two(
    %x: !tile.view<64x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 64]},
    %w: !tile.view<64x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]},
    %z: !tile.view<64x128xf32> {tile.name = "z", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %a = tile.load %x[all 64, all 64] : !tile.view<64x64xf16> -> tensor<64x64xf16>
  %b = tile.load %w[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %c = tile.dot %a, %b, %zero : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
  tile.store %c, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  %d = arith.addf %c, %c : tensor<64x128xf32>
  tile.store %d, %z[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @read_too(
    %x: !tile.view<64x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 64]},
    %w: !tile.view<64x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "inout", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %a = tile.load %x[all 64, all 64] : !tile.view<64x64xf16> -> tensor<64x64xf16>
  %b = tile.load %w[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %c = tile.dot %a, %b, %zero : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
  %o = tile.load %y[all 64, all 128] : !tile.view<64x128xf32> -> tensor<64x128xf32>
  %d = arith.addf %c, %o : tensor<64x128xf32>
  tile.store %d, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @written_twice(
    %x: !tile.view<64x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 64]},
    %w: !tile.view<64x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %a = tile.load %x[all 64, all 64] : !tile.view<64x64xf16> -> tensor<64x64xf16>
  %b = tile.load %w[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %c = tile.dot %a, %b, %zero : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
  tile.store %c, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  %d = arith.addf %c, %c : tensor<64x128xf32>
  tile.store %d, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @unaligned(
    %x: !tile.view<64x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 64]},
    %w: !tile.view<64x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %a = tile.load %x[all 64, all 64] : !tile.view<64x64xf16> -> tensor<64x64xf16>
  %b = tile.load %w[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %c = tile.dot %a, %b, %zero : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
  tile.store %c, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
