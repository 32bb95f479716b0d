// Dots that fill warpgroups read their operands from shared memory by wgmma: in rows of 128 bytes at most, a wider matrix
// cut into panels; what was written there is fenced at the barrier before.
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-place-shared=target=h100 --tile-insert-barriers | FileCheck %s
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=a100 warps=4" --tile-stage-shared | FileCheck %s --check-prefix=AMPERE
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-place-shared=target=h100 --tile-insert-barriers --tile-lower-gpu=target=h100 | FileCheck %s --check-prefix=LOWER

// CHECK-LABEL: func.func @product
// CHECK: tile.alloc {offset = 0 : i64} : <1 of 2x64x64xf16>
// CHECK: tile.alloc {offset = 16384 : i64} : <1 of 64x64xf16>
// CHECK-NOT: tile.shared_load
// CHECK: tile.barrier {tile.async_proxy}
// CHECK: tile.shared_load
// CHECK-NOT: tile.barrier
// CHECK: tile.dot {{.*}} {tile.wgmma}
// AMPERE-NOT: tile.wgmma

// Scores stay in registers on their way to the second product.
// CHECK-LABEL: func.func @chain
// CHECK: %[[S:.*]] = tile.dot {{.*}} {tile.wgmma} : tensor<64x32xf16
// CHECK: %[[P:.*]] = tile.convert {{.*}} -> tensor<64x32xf16
// CHECK: tile.dot %[[P]], {{.*}} {tile.wgmma}

// A descriptor holds the address in units of 16 bytes; a step of k is 32 bytes on, or 16 rows where n lies side by side.
// LOWER-LABEL: func.func @product
// LOWER: "fence.proxy.async.shared::cta;"
// LOWER: llvm.nvvm.barrier.cta.sync.aligned.all
// LOWER: arith.constant 4611686293305360384 : i64
// LOWER: arith.constant 4611686293338849280 : i64
// LOWER: "wgmma.fence.sync.aligned;"
// LOWER: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {{.*}}, 1, 1, 0, 1;
// LOWER: arith.constant 2 : i64
// LOWER: arith.constant 128 : i64
// LOWER: wgmma.mma_async
// LOWER: wgmma.mma_async
// LOWER: wgmma.mma_async
// LOWER-NOT: wgmma.mma_async
// LOWER: "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;"
// LOWER-LABEL: func.func @chain
// LOWER: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {{.*}}, {$128, $129, $130, $131}, $132, 1, 1, 1, 1;
// Halves go to shared memory by stmatrix, from where they are written in 16 bytes a thread.
// LOWER-LABEL: func.func @narrow
// LOWER: llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.b16.p3
// Rows of 160 bytes are five panels of 32, which a descriptor's mode 3 tells of: [63:62] = 3, 8 rows are 256 bytes.
// CHECK-LABEL: func.func @narrow_panels
// CHECK: tile.alloc {{.*}} : <1 of 5x64x16xf16>
// CHECK: tile.alloc {{.*}} : <1 of 5x64x16xf16>
// CHECK: tile.dot {{.*}} {tile.wgmma}
// LOWER-LABEL: func.func @narrow_panels
// LOWER-COUNT-2: arith.constant -4611685949707845632 : i64
// LOWER-COUNT-5: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {{.*}}, 1, 1, 0, 0;
// LOWER-NOT: wgmma.mma_async
func.func @product(
    %x: !tile.view<64x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 64]},
    %w: !tile.view<64x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %b = tile.load %w[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %a = tile.load %x[all 64, all 64] : !tile.view<64x64xf16> -> tensor<64x64xf16>
  %c = tile.dot %a, %b, %zero : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
  tile.store %c, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @chain(
    %x: !tile.view<64x32xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 32]},
    %w: !tile.view<32x32xf16> {tile.name = "w", tile.access = "in", tile.extents = [32, 32]},
    %v: !tile.view<32x128xf16> {tile.name = "v", tile.access = "in", tile.extents = [32, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %none = arith.constant dense<0.0> : tensor<64x128xf32>
  %a = tile.load %x[all 64, all 32] : !tile.view<64x32xf16> -> tensor<64x32xf16>
  %b = tile.load %w[all 32, all 32] : !tile.view<32x32xf16> -> tensor<32x32xf16>
  %d = tile.load %v[all 32, all 128] : !tile.view<32x128xf16> -> tensor<32x128xf16>
  %s = tile.dot %a, %b, %zero : tensor<64x32xf16>, tensor<32x32xf16> -> tensor<64x32xf32>
  %e = math.exp2 %s : tensor<64x32xf32>
  %h = arith.truncf %e : tensor<64x32xf32> to tensor<64x32xf16>
  %o = tile.dot %h, %d, %none : tensor<64x32xf16>, tensor<32x128xf16> -> tensor<64x128xf32>
  tile.store %o, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @narrow(
    %x: !tile.view<64x64xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 64]},
    %w: !tile.view<64x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 128]},
    %y: !tile.view<64x128xf16> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel, tile.aligned} {
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %b = tile.load %w[all 64, all 128] : !tile.view<64x128xf16> -> tensor<64x128xf16>
  %a = tile.load %x[all 64, all 64] : !tile.view<64x64xf16> -> tensor<64x64xf16>
  %c = tile.dot %a, %b, %zero : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
  %h = arith.truncf %c : tensor<64x128xf32> to tensor<64x128xf16>
  tile.store %h, %y[all 64, all 128] : tensor<64x128xf16> -> !tile.view<64x128xf16>
  return
}
func.func @narrow_panels(
    %x: !tile.view<64x80xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 80]},
    %w: !tile.view<64x80xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 80]},
    %y: !tile.view<64x64xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 64]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.load %x[all 64, all 80] : !tile.view<64x80xf16> -> tensor<64x80xf16>
  %b = tile.load %w[all 64, all 80] : !tile.view<64x80xf16> -> tensor<64x80xf16>
  %t = tile.trans %b : tensor<64x80xf16> -> tensor<80x64xf16>
  %c = tile.dot %a, %t, %zero : tensor<64x80xf16>, tensor<80x64xf16> -> tensor<64x64xf32>
  tile.store %c, %y[all 64, all 64] : tensor<64x64xf32> -> !tile.view<64x64xf32>
  return
}
