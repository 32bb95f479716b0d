// Packed weights become the fragments of a matrix operation in registers: a thread loads whole words of its rows, 16
// bytes an access, a step ahead; codes become halves by byte permutations; the product is turned, so that weights are
// the left operand, and no half goes through shared memory.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-verify-layouts | FileCheck %s --check-prefix=LAYOUT
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-pipeline=target=a100 | FileCheck %s --check-prefix=AHEAD
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-pipeline=target=a100 --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOWER
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=h100 | FileCheck %s --check-prefix=HOPPER

// Rows of W: four side by side a thread, then the lanes; k: a word a lane, so eight of it a thread.
// LAYOUT-LABEL: func.func @w4a16
// LAYOUT: %[[WORDS:.*]] = tile.load words {{.*}} -> tensor<64x4xi32, #tile.layout<lane = [0, 1, 0, 2, 4, 0, 8, 0, 16, 0], reg = [1, 0, 2, 0]
// LAYOUT: tile.unpack %[[WORDS]] of "q4_0" : {{.*}} -> tensor<64x32xi8, #tile.layout<lane = [0, 8, 0, 16, 4, 0, 8, 0, 16, 0], reg = [0, 1, 0, 2, 0, 4, 1, 0, 2, 0]
// LAYOUT-NOT: tile.convert {{.*}}tensor<64x32xi8
// LAYOUT: tile.dot {{.*}} {tile.turned}

// HOPPER-LABEL: func.func @w4a16
// HOPPER-NOT: tile.wgmma
// HOPPER: tile.dot {{.*}} {tile.turned}

// AHEAD-LABEL: func.func @w4a16
// AHEAD: tile.load words {{.*}} when
// AHEAD: tile.load scales {{.*}} when
// AHEAD: scf.for {{.*}} iter_args({{.*}}, %[[OLD:[a-z0-9]+]] = %{{[0-9]+}}, %[[SCALE:[a-z0-9]+]] = %{{[0-9]+}})
// AHEAD: tile.unpack %[[OLD]]
// AHEAD: tile.load words {{.*}} when {{.*}} else %[[OLD]]
// AHEAD: tile.load scales {{.*}} when {{.*}} else %[[SCALE]]
// AHEAD-NOT: tile.shared_store
// AHEAD: tile.dot

// One permutation for two codes; 1024 and the bias go in one subtraction.
// LOWER-LABEL: func.func @w4a16
// LOWER: ld.global.nc.v4.b32
// LOWER: ld.global.nc.v2.b32
// LOWER: arith.constant dense<1.032000e+03> : vector<2xf16>
// LOWER: llvm.nvvm.mma.m16n8k16.row.col.f32.f32
func.func @w4a16(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N", tile.divisor = 4 : i64}, %K: index {tile.dim = "K", tile.divisor = 32 : i64},
    %A: !tile.view<?x?xf16> {tile.name = "A", tile.access = "in", tile.extents = ["M", "K"]},
    %W: !tile.view<?x?x!tile.packed<"q4_0">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %C: !tile.view<?x?xf32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %bias = arith.constant dense<8.0> : tensor<64x32xf16>
  %m = tile.program 1 of %M by 64
  %n = tile.program 0 of %N by 64
  %r = scf.for %k = %c0 to %K step %c32 iter_args(%acc = %zero) -> (tensor<64x64xf32>) {
    %a = tile.load %A[%m for 64 until %M, %k for 32] : !tile.view<?x?xf16> -> tensor<64x32xf16>
    %q = tile.load codes %W[%n for 64 until %N, %k for 32] : !tile.view<?x?x!tile.packed<"q4_0">> -> tensor<64x32xi8>
    %s = tile.load scales %W[%n for 64 until %N, %k for 32] : !tile.view<?x?x!tile.packed<"q4_0">> -> tensor<64x1xf16>
    %h = arith.uitofp %q : tensor<64x32xi8> to tensor<64x32xf16>
    %d = arith.subf %h, %bias : tensor<64x32xf16>
    %sb = tile.broadcast %s : tensor<64x1xf16> -> tensor<64x32xf16>
    %w = arith.mulf %d, %sb : tensor<64x32xf16>
    %t = tile.trans %w : tensor<64x32xf16> -> tensor<32x64xf16>
    %p = tile.dot %a, %t, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
    scf.yield %p : tensor<64x64xf32>
  }
  tile.store %r, %C[%m for 64 until %M, %n for 64 until %N] : tensor<64x64xf32> -> !tile.view<?x?xf32>
  return
}

// Two planes of codes: words of both, each a lane's or shared by the lanes whose bits it holds. In f32 a byte goes under
// 2^23. Codes that cost that much are not made twice: each warp has rows of its own, where the cheap ones above were
// shared by two (warp = [32, 0, 0, 0]).
// LAYOUT-LABEL: func.func @five_bits
// LAYOUT: tile.load words {{.*}} -> tensor<64x4xi32
// LAYOUT: tile.load highWords {{.*}} -> tensor<64x1xi32, #tile.layout<lane = [0, 0, 0, 0, 2, 0, 4, 0, 8, 0], reg = [1, 0], rep = [1, 1], warp = [16, 0, 32, 0]>>
// LAYOUT: tile.unpack {{.*}}, {{.*}} of "q5_0"
// LOWER-LABEL: func.func @five_bits
// LOWER-COUNT-16: "llvm.nvvm.prmt"
// LOWER: llvm.nvvm.mma.m16n8k16.row.col.bf16
func.func @five_bits(
    %A: !tile.view<64x32xbf16> {tile.name = "A", tile.access = "in", tile.extents = [64, 32]},
    %W: !tile.view<64x32x!tile.packed<"q5_0">> {tile.name = "W", tile.access = "in", tile.extents = [64, 32]},
    %C: !tile.view<64x64xf32> {tile.name = "C", tile.access = "out", tile.extents = [64, 64]}) attributes {tile.kernel, tile.aligned} {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.load %A[all 64, all 32] : !tile.view<64x32xbf16> -> tensor<64x32xbf16>
  %q = tile.load codes %W[all 64, all 32] : !tile.view<64x32x!tile.packed<"q5_0">> -> tensor<64x32xi8>
  %f = arith.uitofp %q : tensor<64x32xi8> to tensor<64x32xf32>
  %w = arith.truncf %f : tensor<64x32xf32> to tensor<64x32xbf16>
  %t = tile.trans %w : tensor<64x32xbf16> -> tensor<32x64xbf16>
  %p = tile.dot %a, %t, %zero : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x64xf32>
  tile.store %p, %C[all 64, all 64] : tensor<64x64xf32> -> !tile.view<64x64xf32>
  return
}
