// One more warp copies boxes of the tensors into a ring, the others multiply; mbarriers say which slots are full and which
// are empty. A loop whose operands are not all aligned tensors stays as it is.
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-specialize-warps="target=h100 stages=3" --tile-place-shared=target=h100 --tile-insert-barriers | FileCheck %s
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=a100 warps=4" --tile-stage-shared --tile-specialize-warps="target=a100 stages=3" | FileCheck %s --check-prefix=OTHER
// RUN: tessera-opt %s --tile-assign-gpu-layouts="target=h100 warps=4" --tile-stage-shared --tile-specialize-warps="target=h100 stages=3" --tile-place-shared=target=h100 --tile-insert-barriers --tile-lower-gpu=target=h100 | FileCheck %s --check-prefix=LOWER

// CHECK-LABEL: func.func @product
// CHECK-SAME: tile.maps = [array<i64: 1, 128, 64, 64>, array<i64: 2, 128, 64, 64>]
// CHECK-SAME: tile.producers = 1
// CHECK: %[[A:.*]] = tile.alloc {{.*}} : <3 of 64x64xf16>
// CHECK: %[[B:.*]] = tile.alloc {{.*}} : <3 of 2x64x64xf16>
// CHECK: %[[BARRIERS:.*]] = tile.alloc {{.*}}tile.kept{{.*}} : <1 of 6xi64>
// CHECK: tile.init_barriers %[[BARRIERS]] stages 3
// CHECK: %[[ROLE:.*]] = tile.is_producer
// CHECK: scf.if %[[ROLE]]
// The producer begins with slots that count as empty.
// CHECK: scf.for {{.*}} iter_args(%[[AT:.*]] = %c0_i32{{.*}}, %[[EMPTY:.*]] = %c1_i32
// CHECK: tile.await %[[BARRIERS]] at %[[AT]] plus 3 parity %[[EMPTY]]
// CHECK: tile.expect %[[BARRIERS]] at %[[AT]] bytes 24576
// CHECK: tile.tensor_copy 0[%{{.*}}, %{{.*}}], %[[A]]
// CHECK: tile.tensor_copy 1[%{{.*}}, %{{.*}}], %[[B]]
// CHECK: } else {
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[SLOT:.*]] = %c0_i32{{.*}}, %[[FULL:.*]] = %c0_i32{{.*}}, %[[BEFORE:.*]] = %c2_i32
// CHECK: tile.await %[[BARRIERS]] at %[[SLOT]] plus 0 parity %[[FULL]]
// CHECK-NOT: tile.barrier
// CHECK: tile.dot {{.*}} {tile.pending = 1 : i64, tile.wgmma}
// CHECK: tile.arrive %[[BARRIERS]] at %[[BEFORE]] plus 3
// CHECK: tile.settle
// CHECK: tile.store

// OTHER-NOT: tile.is_producer
// CHECK-LABEL: func.func @unaligned
// CHECK-NOT: tile.is_producer

// LOWER-LABEL: func.func @product
// LOWER-SAME: llvm.byval = !llvm.array<128 x i8>
// LOWER: "mbarrier.init.shared::cta.b64 [$0+73728], $1;"
// LOWER: "fence.mbarrier_init.release.cluster;"
// LOWER: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0+73728], 24576;
// LOWER: cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$3, $4}], [$2];
// LOWER: wgmma.wait_group.sync.aligned 1;
// LOWER: "mbarrier.arrive.shared::cta.b64 _, [$0+73752];"
// LOWER: "wgmma.wait_group.sync.aligned 0;"
// A block that stays enters one program after the other in each role; slots and phases are remembered.
// CHECK-LABEL: func.func @stays
// CHECK: tile.program 0
// CHECK-NEXT: tile.alloc {{.*}} : <3 of 64x64xf16>
// CHECK: tile.init_barriers
// CHECK: scf.if
// CHECK: tile.remember %c0_i32{{.*}} as 0
// CHECK: tile.remember %c1_i32{{.*}} as 1
// CHECK: %[[FIRST:.*]], %[[END:.*]], %[[STEP:.*]] = tile.walk
// CHECK: scf.for %[[NUMBER:.*]] = %[[FIRST]] to %[[END]] step %[[STEP]]
// CHECK-NEXT: tile.enter %[[NUMBER]]
// CHECK: %[[AT:.*]] = tile.recall 0
// CHECK: %[[EMPTY:.*]] = tile.recall 1
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[AT]], %{{.*}} = %[[EMPTY]])
// CHECK: tile.tensor_copy
// CHECK: tile.remember {{.*}} as 0
// CHECK: tile.remember {{.*}} as 1
// CHECK: } else {
// CHECK: tile.remember %c2_i32{{.*}} as 2
// CHECK: tile.walk
// CHECK: tile.enter
// CHECK: tile.recall 2
// CHECK: tile.dot {{.*}} {tile.pending = 1 : i64, tile.wgmma}
// CHECK: tile.remember {{.*}} as 2
// The epilogue leaves the ring alone.
// CHECK: tile.settle
// CHECK: tile.alloc {offset = 49152 : i64} : <1 of 64x128xf32>
// CHECK: tile.store
// LOWER-LABEL: func.func @stays
// LOWER: llvm.nvvm.read.ptx.sreg.nctaid.x

// A ring in a loop: the producer walks the outer loop as well.
// CHECK-LABEL: func.func @loop_in_loop
// CHECK: tile.is_producer
// CHECK: scf.for
// CHECK: tile.recall 0
// CHECK: scf.for
// CHECK: tile.tensor_copy
// CHECK: } else {
// CHECK: scf.for {{.*}} -> (tensor<64x128xf32
// CHECK: tile.recall 0
// CHECK: tile.dot
// CHECK: tile.settle
func.func @product(
    %M: index {tile.dim = "M"},
    %x: !tile.view<?x256xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", 256]},
    %w: !tile.view<256x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [256, 128]},
    %y: !tile.view<?x128xf32> {tile.name = "y", tile.access = "out", tile.extents = ["M", 128]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c256 = arith.constant 256 : index
  %m = tile.program 0 of %M by 64
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %i = %c0 to %c256 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
    %a = tile.load %x[%m for 64 until %M, %i for 64] : !tile.view<?x256xf16> -> tensor<64x64xf16>
    %b = tile.load %w[%i for 64, all 128] : !tile.view<256x128xf16> -> tensor<64x128xf16>
    %c = tile.dot %a, %b, %acc : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
    scf.yield %c : tensor<64x128xf32>
  }
  tile.store %sum, %y[%m for 64 until %M, all 128] : tensor<64x128xf32> -> !tile.view<?x128xf32>
  return
}
func.func @unaligned(
    %x: !tile.view<64x256xf16> {tile.name = "x", tile.access = "in", tile.extents = [64, 256]},
    %w: !tile.view<256x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [256, 128]},
    %y: !tile.view<64x128xf32> {tile.name = "y", tile.access = "out", tile.extents = [64, 128]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c256 = arith.constant 256 : index
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %i = %c0 to %c256 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
    %a = tile.load %x[all 64, %i for 64] : !tile.view<64x256xf16> -> tensor<64x64xf16>
    %b = tile.load %w[%i for 64, all 128] : !tile.view<256x128xf16> -> tensor<64x128xf16>
    %c = tile.dot %a, %b, %acc : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
    scf.yield %c : tensor<64x128xf32>
  }
  tile.store %sum, %y[all 64, all 128] : tensor<64x128xf32> -> !tile.view<64x128xf32>
  return
}
func.func @stays(
    %M: index {tile.dim = "M"},
    %x: !tile.view<?x256xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", 256]},
    %w: !tile.view<256x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [256, 128]},
    %y: !tile.view<?x128xf32> {tile.name = "y", tile.access = "out", tile.extents = ["M", 128]}) attributes {tile.kernel, tile.aligned, tile.persistent} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c64 = arith.constant 64 : index
  %c256 = arith.constant 256 : index
  %m = tile.program 0 of %M by 64
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %i = %c0 to %c256 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
    %a = tile.load %x[%m for 64 until %M, %i for 64] : !tile.view<?x256xf16> -> tensor<64x64xf16>
    %b = tile.load %w[%i for 64, all 128] : !tile.view<256x128xf16> -> tensor<64x128xf16>
    %c = tile.dot %a, %b, %acc : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
    scf.yield %c : tensor<64x128xf32>
  }
  tile.store %sum, %y[%m for 64 until %M, all 128] : tensor<64x128xf32> -> !tile.view<?x128xf32>
  return
}
func.func @loop_in_loop(
    %M: index {tile.dim = "M"},
    %x: !tile.view<?x256xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", 256]},
    %w: !tile.view<256x128xf16> {tile.name = "w", tile.access = "in", tile.extents = [256, 128]},
    %y: !tile.view<?x128xf32> {tile.name = "y", tile.access = "out", tile.extents = ["M", 128]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c64 = arith.constant 64 : index
  %c256 = arith.constant 256 : index
  %m = tile.program 0 of %M by 64
  %zero = arith.constant dense<0.0> : tensor<64x128xf32>
  %sum = scf.for %j = %c0 to %c3 step %c1 iter_args(%all = %zero) -> tensor<64x128xf32> {
    %part = scf.for %i = %c0 to %c256 step %c64 iter_args(%acc = %zero) -> tensor<64x128xf32> {
      %a = tile.load %x[%m for 64 until %M, %i for 64] : !tile.view<?x256xf16> -> tensor<64x64xf16>
      %b = tile.load %w[%i for 64, all 128] : !tile.view<256x128xf16> -> tensor<64x128xf16>
      %c = tile.dot %a, %b, %acc : tensor<64x64xf16>, tensor<64x128xf16> -> tensor<64x128xf32>
      scf.yield %c : tensor<64x128xf32>
    }
    %both = arith.addf %all, %part : tensor<64x128xf32>
    scf.yield %both : tensor<64x128xf32>
  }
  tile.store %sum, %y[%m for 64 until %M, all 128] : tensor<64x128xf32> -> !tile.view<?x128xf32>
  return
}
