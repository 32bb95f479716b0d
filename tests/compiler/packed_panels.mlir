// Panels of packed weights lie in memory as the integer dot wants them: one 64-byte load gives 16 rows x 4 columns, and
// the scales of 16 rows are one vector although the kernel asks for a column of them.
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx512vnni | FileCheck %s --check-prefix=LAYOUT
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx512vnni --tile-lower-cpu=target=cpu-avx512vnni | FileCheck %s --check-prefix=VNNI
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx2 --tile-lower-cpu=target=cpu-avx2 | FileCheck %s --check-prefix=AVX2

// LAYOUT-LABEL: func.func @gemv
// LAYOUT: tile.load scales {{.*}} -> tensor<16x1xf16, #tile.layout<lane = [1, 0, 2, 0, 4, 0, 8, 0], reg = [], rep = [1, 1]>>
// LAYOUT: tile.load codes {{.*}} -> tensor<16x32xi8, #tile.layout<lane = [0, 1, 0, 2, 1, 0, 2, 0, 4, 0, 8, 0], reg = [], rep = [1, 8]>>
// VNNI-LABEL: @gemv
// VNNI: llvm.load {{.*}} : !llvm.ptr -> vector<16xf16>
// VNNI: llvm.load {{.*}} : !llvm.ptr -> vector<64xi8>
// VNNI: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// AVX2-LABEL: @gemv
// AVX2: llvm.load {{.*}} : !llvm.ptr -> vector<32xi8>
// AVX2: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"

// Half a panel's rows are a vector too, from any multiple of as many; of rows that may begin anywhere each is on its own.
// LAYOUT-LABEL: func.func @half_a_panel
// LAYOUT: tile.load scales {{.*}} -> tensor<8x1xf16, #tile.layout<lane = [1, 0, 2, 0, 4, 0], reg = [], rep = [1, 1]>>
// LAYOUT: tile.load scales {{.*}} -> tensor<8x1xf16, #tile.layout<lane = [], reg = [], rep = [8, 1]>>
// VNNI-LABEL: @half_a_panel
// VNNI: llvm.load {{.*}} : !llvm.ptr -> vector<8xf16>
// VNNI: llvm.load {{.*}} : !llvm.ptr -> f16

func.func @gemv(%N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 32 : i64},
    %x: !tile.view<?xi8> {tile.name = "x", tile.access = "in", tile.extents = ["K"]},
    %W: !tile.view<?x?x!tile.packed<"q4_1">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %y: !tile.view<?xf16> {tile.name = "y", tile.access = "out", tile.extents = ["N"]},
    %z: !tile.view<?xi32> {tile.name = "z", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0> : tensor<1x16xi32>
  %n = tile.program 0 of %N by 16
  %s = tile.load scales %W[%n for 16, %c0 for 32] : !tile.view<?x?x!tile.packed<"q4_1">> -> tensor<16x1xf16>
  %st = tile.trans %s : tensor<16x1xf16> -> tensor<1x16xf16>
  %q = tile.load codes %W[%n for 16, %c0 for 32] : !tile.view<?x?x!tile.packed<"q4_1">> -> tensor<16x32xi8>
  %qt = tile.trans %q : tensor<16x32xi8> -> tensor<32x16xi8>
  %a = tile.load %x[%c0 for 32] : !tile.view<?xi8> -> tensor<32xi8>
  %a2 = tile.reshape %a : tensor<32xi8> -> tensor<1x32xi8>
  %d = tile.dot %a2, %qt, %zero {rhs_unsigned} : tensor<1x32xi8>, tensor<32x16xi8> -> tensor<1x16xi32>
  %s1 = tile.reshape %st : tensor<1x16xf16> -> tensor<16xf16>
  %d1 = tile.reshape %d : tensor<1x16xi32> -> tensor<16xi32>
  tile.store %s1, %y[%n for 16] : tensor<16xf16> -> !tile.view<?xf16>
  tile.store %d1, %z[%n for 16] : tensor<16xi32> -> !tile.view<?xi32>
  return
}

func.func @half_a_panel(%N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 32 : i64}, %first: index {tile.name = "first"},
    %W: !tile.view<?x?x!tile.packed<"q4_1">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %y: !tile.view<?xf16> {tile.name = "y", tile.access = "out", tile.extents = ["N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %n = tile.program 0 of %N by 8
  %s = tile.load scales %W[%n for 8, %c0 for 32] : !tile.view<?x?x!tile.packed<"q4_1">> -> tensor<8x1xf16>
  %st = tile.trans %s : tensor<8x1xf16> -> tensor<1x8xf16>
  %s1 = tile.reshape %st : tensor<1x8xf16> -> tensor<8xf16>
  %u = tile.load scales %W[%first for 8, %c0 for 32] : !tile.view<?x?x!tile.packed<"q4_1">> -> tensor<8x1xf16>
  %ut = tile.trans %u : tensor<8x1xf16> -> tensor<1x8xf16>
  %u1 = tile.reshape %ut : tensor<1x8xf16> -> tensor<8xf16>
  %v = arith.addf %s1, %u1 : tensor<8xf16>
  tile.store %v, %y[%n for 8] : tensor<8xf16> -> !tile.view<?xf16>
  return
}
