// Sums of 8-bit floats leave Hopper's tensor cores every 128 of k and are added up in f32; those of halves, and those on
// other chips, stay.
// RUN: tessera-opt %s --tile-promote-sums="target=h100 warps=4" | FileCheck %s
// RUN: tessera-opt %s --tile-promote-sums="target=l4 warps=4" | FileCheck %s --check-prefix=OTHER
// RUN: tessera-opt %s --tile-promote-sums="target=h100 warps=4" --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-specialize-warps="target=h100 stages=3" --tile-place-shared=target=h100 --tile-insert-barriers --tile-lower-gpu=target=h100 | FileCheck %s --check-prefix=LOWER

// CHECK-LABEL: func.func @bytes
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00>
// CHECK: %[[RUN:.*]] = arith.constant 128 : index
// CHECK: scf.for %[[FROM:.*]] = %{{.*}} to %[[END:.*]] step %[[RUN]] iter_args(%[[SUMS:.*]] = %[[ZERO]])
// CHECK: %[[NOTHING:.*]] = arith.constant {tile.unread} dense
// CHECK: %[[TO:.*]] = arith.minui %{{.*}}, %[[END]]
// CHECK: %[[PART:.*]] = scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %{{.*}} iter_args(%{{.*}} = %[[NOTHING]])
// CHECK: tile.dot {{.*}} {tile.restarts}
// CHECK: %[[MORE:.*]] = arith.addf %[[SUMS]], %[[PART]]
// CHECK: scf.yield %[[MORE]]
// OTHER-NOT: tile.restarts
// A thread has no registers for more than 64 sums and their parts.
// CHECK-LABEL: func.func @wide
// CHECK-NOT: tile.restarts
// CHECK-LABEL: func.func @halves
// CHECK-NOT: tile.restarts

// The first step's first product writes the sums, the others add to them.
// LOWER-LABEL: func.func @bytes
// LOWER: llvm.mlir.undef : f32
// LOWER: wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {{.*}}, $128, $129, $130, 1, 1;
// LOWER: wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {{.*}}, $128, $129, 1, 1, 1;
func.func @bytes(
    %x: !tile.view<64x4096xf8E4M3FN> {tile.name = "x", tile.access = "in", tile.extents = [64, 4096]},
    %w: !tile.view<128x4096xf8E4M3FN> {tile.name = "w", tile.access = "in", tile.extents = [128, 4096]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c4096 = arith.constant 4096 : index
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %i = %c0 to %c4096 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
    %a = tile.load %x[all 64, %i for 64] : !tile.view<64x4096xf8E4M3FN> -> tensor<64x64xf8E4M3FN>
    %b = tile.load %w[all 128, %i for 64] : !tile.view<128x4096xf8E4M3FN> -> tensor<128x64xf8E4M3FN>
    %t = tile.trans %b : tensor<128x64xf8E4M3FN> -> tensor<64x128xf8E4M3FN>
    %c = tile.dot %a, %t, %acc : tensor<64x64xf8E4M3FN>, tensor<64x128xf8E4M3FN> -> tensor<64x128xf32>
    scf.yield %c : tensor<64x128xf32>
  }
  tile.store %sum, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @wide(
    %x: !tile.view<64x4096xf8E4M3FN> {tile.name = "x", tile.access = "in", tile.extents = [64, 4096]},
    %w: !tile.view<256x4096xf8E4M3FN> {tile.name = "w", tile.access = "in", tile.extents = [256, 4096]},
    %y: !tile.view<64x256xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 256]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c4096 = arith.constant 4096 : index
  %zero = arith.constant dense<0.0> : tensor<64x256xf32>
  %sum = scf.for %i = %c0 to %c4096 step %c64 iter_args(%acc = %zero) -> tensor<64x256xf32> {
    %a = tile.load %x[all 64, %i for 64] : !tile.view<64x4096xf8E4M3FN> -> tensor<64x64xf8E4M3FN>
    %b = tile.load %w[all 256, %i for 64] : !tile.view<256x4096xf8E4M3FN> -> tensor<256x64xf8E4M3FN>
    %t = tile.trans %b : tensor<256x64xf8E4M3FN> -> tensor<64x256xf8E4M3FN>
    %c = tile.dot %a, %t, %acc : tensor<64x64xf8E4M3FN>, tensor<64x256xf8E4M3FN> -> tensor<64x256xf32>
    scf.yield %c : tensor<64x256xf32>
  }
  tile.store %sum, %y[all 64, all 256] : tensor<64x256xf32> -> !tile.view<64x256xf32>
  return
}
func.func @halves(
    %x: !tile.view<64x4096xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 4096]},
    %w: !tile.view<128x4096xf16> {tile.name = "w", tile.access = "in", tile.extents = [128, 4096]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c4096 = arith.constant 4096 : index
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %i = %c0 to %c4096 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
    %a = tile.load %x[all 64, %i for 64] : !tile.view<64x4096xf16> -> tensor<64x64xf16>
    %b = tile.load %w[all 128, %i for 64] : !tile.view<128x4096xf16> -> tensor<128x64xf16>
    %t = tile.trans %b : tensor<128x64xf16> -> tensor<64x128xf16>
    %c = tile.dot %a, %t, %acc : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
    scf.yield %c : tensor<64x128xf32>
  }
  tile.store %sum, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
