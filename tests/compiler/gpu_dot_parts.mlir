// Operands come from shared memory by eight places of k, a part ahead of its use, and are widened as they are used: the
// first two parts before the first product, each other one behind a barrier of the warp.
// RUN: tessera-opt %s --tile-legalize-dots=target=t4 --tile-assign-gpu-layouts=target=t4 --tile-stage-shared --tile-place-shared=target=t4 --tile-insert-barriers --tile-lower-gpu=target=t4 2>/dev/null | FileCheck %s --check-prefix=PARTS
// PARTS-LABEL: func.func @parts
// PARTS: nvvm.barrier.cta
// PARTS-COUNT-8: llvm.load {{.*}} -> vector<8xbf16>
// PARTS: arith.shli
// PARTS: math.fma
// PARTS-NOT: llvm.load
// PARTS: "llvm.nvvm.bar.warp.sync"
// PARTS: llvm.load {{.*}} -> vector<8xbf16>
// PARTS: math.fma
// PARTS-COUNT-5: "llvm.nvvm.bar.warp.sync"
// PARTS-NOT: "llvm.nvvm.bar.warp.sync"
func.func @parts(%q: !tile.view<3x64xbf16> {tile.name = "q", tile.access = "in", tile.extents = [3, 64]},
    %k: !tile.view<32x64xbf16> {tile.name = "k", tile.access = "in", tile.extents = [32, 64]},
    %s: !tile.view<3x32xf32> {tile.name = "s", tile.access = "out", tile.extents = [3, 32]}) attributes {tile.kernel} {
  %zero = arith.constant dense<0.0> : tensor<3x32xf32>
  %a = tile.load %q[all 3, all 64] : !tile.view<3x64xbf16> -> tensor<3x64xbf16>
  %b = tile.load %k[all 32, all 64] : !tile.view<32x64xbf16> -> tensor<32x64xbf16>
  %t = tile.trans %b : tensor<32x64xbf16> -> tensor<64x32xbf16>
  %c = tile.dot %a, %t, %zero : tensor<3x64xbf16>, tensor<64x32xbf16> -> tensor<3x32xf32>
  tile.store %c, %s[all 3, all 32] : tensor<3x32xf32> -> !tile.view<3x32xf32>
  return
}
