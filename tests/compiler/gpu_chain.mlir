// A product of what another product became: the warps own whole rows of both, so that nothing but the operands that come
// from memory goes through shared memory.
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=a100 warps=4" --tile-stage-shared | FileCheck %s --check-prefix=CHAIN
// CHAIN-LABEL: func.func @chain
// CHAIN: %[[S:.*]] = tile.dot
// CHAIN-NOT: tile.shared_store
// CHAIN: %[[P:.*]] = tile.convert {{.*}} -> tensor<64x32xf16
// CHAIN: tile.dot %[[P]],
// CHAIN-NOT: tile.shared_store {{.*}}64x32
// CHAIN: return
func.func @chain(
    %x: !tile.view<64x16xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 16]},
    %w: !tile.view<16x32xf16> {tile.name = "w", tile.access = "in", tile.extents = [16, 32]},
    %v: !tile.view<32x128xf16> {tile.name = "v", tile.access = "in", tile.extents = [32, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %none = arith.constant dense<0.0> : tensor<64x128xf32>
  %a = tile.load %x[all 64, all 16] : !tile.view<64x16xf16> -> tensor<64x16xf16>
  %b = tile.load %w[all 16, all 32] : !tile.view<16x32xf16> -> tensor<16x32xf16>
  %d = tile.load %v[all 32, all 128] : !tile.view<32x128xf16> -> tensor<32x128xf16>
  %s = tile.dot %a, %b, %zero : tensor<64x16xf16>, tensor<16x32xf16> -> tensor<64x32xf32>
  %top = tile.reduce max %s along 1 : tensor<64x32xf32> -> tensor<64x1xf32>
  %wide = tile.broadcast %top : tensor<64x1xf32> -> tensor<64x32xf32>
  %p = arith.subf %s, %wide : tensor<64x32xf32>
  %e = math.exp2 %p : tensor<64x32xf32>
  %h = arith.truncf %e : tensor<64x32xf32> to tensor<64x32xf16>
  %o = tile.dot %h, %d, %none : tensor<64x32xf16>, tensor<32x128xf16> -> tensor<64x128xf32>
  tile.store %o, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
