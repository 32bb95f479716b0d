// RUN: tessera-opt %s --tile-legalize-dots=target=cpu-avx512vnni | FileCheck %s

// Halves become f32 where no operation multiplies them; bytes stay as long as four of them make a step.
// CHECK-LABEL: func.func @halves
// CHECK-COUNT-2: arith.extf {{.*}}f16> to {{.*}}f32>
// CHECK: tile.dot {{.*}} : tensor<2x3xf32>, tensor<3x16xf32> -> tensor<2x16xf32>
func.func @halves(%a: tensor<2x3xf16>, %b: tensor<3x16xf16>, %c: tensor<2x16xf32>) -> tensor<2x16xf32> {
  %d = tile.dot %a, %b, %c : tensor<2x3xf16>, tensor<3x16xf16> -> tensor<2x16xf32>
  return %d : tensor<2x16xf32>
}

// CHECK-LABEL: func.func @bytes
// CHECK-NOT: arith.ext
// CHECK: tile.dot {{.*}} {rhs_unsigned} : tensor<1x8xi8>, tensor<8x16xi8>
func.func @bytes(%a: tensor<1x8xi8>, %b: tensor<8x16xi8>, %c: tensor<1x16xi32>) -> tensor<1x16xi32> {
  %d = tile.dot %a, %b, %c {rhs_unsigned} : tensor<1x8xi8>, tensor<8x16xi8> -> tensor<1x16xi32>
  return %d : tensor<1x16xi32>
}

// CHECK-LABEL: func.func @three_bytes
// CHECK-DAG: arith.extsi
// CHECK-DAG: arith.extui
// CHECK: tile.dot {{.*}} : tensor<1x3xi32>, tensor<3x16xi32>
func.func @three_bytes(%a: tensor<1x3xi8>, %b: tensor<3x16xi8>, %c: tensor<1x16xi32>) -> tensor<1x16xi32> {
  %d = tile.dot %a, %b, %c {rhs_unsigned} : tensor<1x3xi8>, tensor<3x16xi8> -> tensor<1x16xi32>
  return %d : tensor<1x16xi32>
}

// On a GPU before a transpose of rows of 128 bytes, which are then read as they lie; shorter ones would meet banks twice.
// RUN: tessera-opt %s --tile-legalize-dots=target=t4 | FileCheck %s --check-prefix=T4
// T4-LABEL: func.func @transposed
// T4: arith.extf {{.*}} tensor<32x64xbf16> to tensor<32x64xf32>
// T4: tile.trans {{.*}} tensor<32x64xf32>
// T4-LABEL: func.func @short_rows
// T4: tile.trans {{.*}} tensor<32x32xbf16>
// T4: arith.extf {{.*}} tensor<32x32xbf16>
func.func @transposed(%a: tensor<4x64xbf16>, %b: tensor<32x64xbf16>, %c: tensor<4x32xf32>) -> tensor<4x32xf32> {
  %t = tile.trans %b : tensor<32x64xbf16> -> tensor<64x32xbf16>
  %d = tile.dot %a, %t, %c : tensor<4x64xbf16>, tensor<64x32xbf16> -> tensor<4x32xf32>
  return %d : tensor<4x32xf32>
}
func.func @short_rows(%a: tensor<4x32xbf16>, %b: tensor<32x32xbf16>, %c: tensor<4x32xf32>) -> tensor<4x32xf32> {
  %t = tile.trans %b : tensor<32x32xbf16> -> tensor<32x32xbf16>
  %d = tile.dot %a, %t, %c : tensor<4x32xbf16>, tensor<32x32xbf16> -> tensor<4x32xf32>
  return %d : tensor<4x32xf32>
}
