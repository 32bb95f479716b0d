// A loop's operands of dots come to shared memory steps ahead of their use: by asynchronous copies into a ring where the
// chip has them, through registers into the other of two slots where not.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-pipeline="target=a100 stages=3" --tile-place-shared=target=a100 --tile-insert-barriers | FileCheck %s --check-prefix=ASYNC
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-pipeline="target=a100 stages=5" | FileCheck %s --check-prefix=FIVE
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=t4 --tile-stage-shared --tile-pipeline=target=t4 --tile-place-shared=target=t4 --tile-insert-barriers | FileCheck %s --check-prefix=PAIR
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-pipeline="target=a100 stages=1" | FileCheck %s --check-prefix=NONE
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-stage-shared --tile-pipeline="target=a100 stages=3" --tile-place-shared=target=a100 --tile-insert-barriers --tile-lower-gpu=target=a100 | FileCheck %s --check-prefix=LOWER

// Two steps are under way before the loop; in it one barrier, between the wait and the reads; then the slot that the
// step before has left is filled.
// ASYNC-LABEL: func.func @product
// ASYNC: scf.if
// ASYNC: tile.copy %arg1{{.*}} phase 0
// ASYNC: tile.commit
// ASYNC: scf.if
// ASYNC: tile.copy %arg1{{.*}} phase 1
// ASYNC: tile.commit
// ASYNC-NOT: tile.barrier
// ASYNC: %{{.*}}:3 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[NOW:.*]] = %c0_i32{{.*}}, %[[FREE:.*]] = %c2048_i32
// ASYNC: tile.wait 1 for
// ASYNC-NEXT: tile.barrier
// ASYNC-NEXT: tile.shared_load %{{.*}} at %[[NOW]] phase 0 : <3 of 32x16xf16>
// ASYNC: %[[MORE:.*]] = arith.cmpi slt
// ASYNC: tile.copy %arg1{{.*}} at %[[FREE]] phase 2 when %[[MORE]]
// ASYNC: tile.copy %arg2{{.*}} at %[[FREE]] phase 2 when %[[MORE]]
// ASYNC: tile.commit
// ASYNC-NOT: tile.barrier
// ASYNC: tile.dot
// ASYNC: scf.yield
// The rest of the tensor is one step at most: it is not worth a ring. Who still reads the ring comes first.
// ASYNC: scf.for
// ASYNC: tile.barrier
// ASYNC: tile.copy %arg2{{.*}} -> <1 of 16x32xf16>
// ASYNC: tile.commit
// ASYNC-NEXT: tile.wait 0
// ASYNC-NEXT: tile.barrier
// ASYNC: tile.dot

// FIVE-LABEL: func.func @product
// FIVE-COUNT-4: tile.commit
// FIVE: tile.wait 3 for
// FIVE: phase 4

// PAIR-LABEL: func.func @product
// PAIR: scf.if
// PAIR: tile.shared_store {{.*}} phase 0
// PAIR: scf.for
// PAIR: %[[MORE:.*]] = arith.cmpi slt
// PAIR: tile.load %arg1{{.*}} when %[[MORE]]
// PAIR: tile.load %arg2{{.*}} when %[[MORE]]
// PAIR: tile.barrier
// PAIR: tile.shared_load {{.*}} phase 0 : <2 of 
// PAIR: tile.dot
// PAIR-NOT: tile.barrier
// PAIR: tile.shared_store {{.*}} phase 1
// PAIR: tile.shared_store {{.*}} phase 1
// PAIR-NOT: tile.barrier
// PAIR: scf.yield

// NONE-NOT: tile.copy
// NONE-NOT: phase

// A row beyond M is read as nothing and zeros are written: the copy's size says so. Beyond the last step nothing happens.
// LOWER-LABEL: func.func @product
// LOWER: llvm.nvvm.cp.async.commit.group
// LOWER: scf.for
// LOWER: llvm.nvvm.cp.async.wait.group
// LOWER: { .reg .b32 n; selp.b32 n, 16, 0, $2; @$3 cp.async.cg.shared.global [$0+0], [$1+0], 16, n; }
// LOWER: @$2 cp.async.cg.shared.global [$0+3072], [$1+0], 16;
// The copies' pointers are carried, out of LLVM's sight; behind the loop addresses begin with the thread's number again.
// LOWER: "add.s64 $0, $1, 32;"
// LOWER: "add.s64 $0, $1, 1024;"
// LOWER-NEXT: scf.yield
// LOWER: has_side_effects "mov.u32 $0, %tid.x;"
func.func @product(
    %M: index {tile.dim = "M"},
    %x: !tile.view<?x64xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", 64]},
    %w: !tile.view<64x32xf16> {tile.name = "w", tile.access = "in", tile.extents = [64, 32]},
    %y: !tile.view<?x32xf16> {tile.name = "y", tile.access = "out", tile.extents = ["M", 32]}) attributes {tile.kernel, tile.aligned} {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %m = tile.program 0 of %M by 32
  %K = arith.index_cast %M : index to i64
  %k = arith.index_cast %K : i64 to index
  %tail = arith.remui %k, %c16 : index
  %whole = arith.subi %k, %tail : index
  %zero = arith.constant dense<0.0> : tensor<32x32xf32>
  %most = scf.for %i = %c0 to %whole step %c16 iter_args(%acc = %zero) -> tensor<32x32xf32> {
    %a = tile.load %x[%m for 32 until %M, %i for 16] : !tile.view<?x64xf16> -> tensor<32x16xf16>
    %b = tile.load %w[%i for 16, all 32] : !tile.view<64x32xf16> -> tensor<16x32xf16>
    %c = tile.dot %a, %b, %acc : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
    scf.yield %c : tensor<32x32xf32>
  }
  %all = scf.for %i = %whole to %k step %c16 iter_args(%acc = %most) -> tensor<32x32xf32> {
    %a = tile.load %x[%m for 32 until %M, %i for 16] : !tile.view<?x64xf16> -> tensor<32x16xf16>
    %b = tile.load %w[%i for 16, all 32] : !tile.view<64x32xf16> -> tensor<16x32xf16>
    %c = tile.dot %a, %b, %acc : tensor<32x16xf16>, tensor<16x32xf16> -> tensor<32x32xf32>
    scf.yield %c : tensor<32x32xf32>
  }
  %out = arith.truncf %all : tensor<32x32xf32> to tensor<32x32xf16>
  tile.store %out, %y[%m for 32 until %M, all 32] : tensor<32x32xf16> -> !tile.view<?x32xf16>
  return
}
