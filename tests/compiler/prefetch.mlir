// A product of one row waits for memory: each cache line of a panel is asked for ahead, once, although four loads of 16 rows x
// 4 columns share a line of fifth bits. So is a product of eight rows with one panel, as few sequences take it. With two panels
// it is a prompt's, computes, and asks for none.
// RUN: tessera-opt %s --tile-assign-layouts=target=cpu-avx512vnni --tile-lower-cpu=target=cpu-avx512vnni | FileCheck %s

// CHECK-LABEL: @one_row
// CHECK-COUNT-5: "llvm.intr.prefetch"
// CHECK-NOT: "llvm.intr.prefetch"
// CHECK-LABEL: @eight_rows
// CHECK-COUNT-5: "llvm.intr.prefetch"
// CHECK-NOT: "llvm.intr.prefetch"
// CHECK-LABEL: @two_panels
// CHECK-NOT: "llvm.intr.prefetch"

func.func @one_row(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 32 : i64},
    %A: !tile.view<?x?xi8> {tile.name = "A", tile.access = "in", tile.extents = ["M", "K"]},
    %W: !tile.view<?x?x!tile.packed<"q5_0">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %C: !tile.view<?x?xi32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0> : tensor<1x16xi32>
  %n = tile.program 0 of %N by 16
  %q = tile.load codes %W[%n for 16, %c0 for 32] : !tile.view<?x?x!tile.packed<"q5_0">> -> tensor<16x32xi8>
  %qt = tile.trans %q : tensor<16x32xi8> -> tensor<32x16xi8>
  %a = tile.load %A[%c0 for 1, %c0 for 32] : !tile.view<?x?xi8> -> tensor<1x32xi8>
  %d = tile.dot %a, %qt, %zero {rhs_unsigned} : tensor<1x32xi8>, tensor<32x16xi8> -> tensor<1x16xi32>
  tile.store %d, %C[%c0 for 1, %n for 16] : tensor<1x16xi32> -> !tile.view<?x?xi32>
  return
}

func.func @eight_rows(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 32 : i64},
    %A: !tile.view<?x?xi8> {tile.name = "A", tile.access = "in", tile.extents = ["M", "K"]},
    %W: !tile.view<?x?x!tile.packed<"q5_0">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %C: !tile.view<?x?xi32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0> : tensor<8x16xi32>
  %n = tile.program 0 of %N by 16
  %q = tile.load codes %W[%n for 16, %c0 for 32] : !tile.view<?x?x!tile.packed<"q5_0">> -> tensor<16x32xi8>
  %qt = tile.trans %q : tensor<16x32xi8> -> tensor<32x16xi8>
  %a = tile.load %A[%c0 for 8, %c0 for 32] : !tile.view<?x?xi8> -> tensor<8x32xi8>
  %d = tile.dot %a, %qt, %zero {rhs_unsigned} : tensor<8x32xi8>, tensor<32x16xi8> -> tensor<8x16xi32>
  tile.store %d, %C[%c0 for 8, %n for 16] : tensor<8x16xi32> -> !tile.view<?x?xi32>
  return
}

func.func @two_panels(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"}, %K: index {tile.dim = "K", tile.divisor = 32 : i64},
    %A: !tile.view<?x?xi8> {tile.name = "A", tile.access = "in", tile.extents = ["M", "K"]},
    %W: !tile.view<?x?x!tile.packed<"q5_0">> {tile.name = "W", tile.access = "in", tile.extents = ["N", "K"]},
    %C: !tile.view<?x?xi32> {tile.name = "C", tile.access = "out", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant dense<0> : tensor<8x32xi32>
  %n = tile.program 0 of %N by 32
  %q = tile.load codes %W[%n for 32, %c0 for 32] : !tile.view<?x?x!tile.packed<"q5_0">> -> tensor<32x32xi8>
  %qt = tile.trans %q : tensor<32x32xi8> -> tensor<32x32xi8>
  %a = tile.load %A[%c0 for 8, %c0 for 32] : !tile.view<?x?xi8> -> tensor<8x32xi8>
  %d = tile.dot %a, %qt, %zero {rhs_unsigned} : tensor<8x32xi8>, tensor<32x32xi8> -> tensor<8x32xi32>
  tile.store %d, %C[%c0 for 8, %n for 32] : tensor<8x32xi32> -> !tile.view<?x?xi32>
  return
}
