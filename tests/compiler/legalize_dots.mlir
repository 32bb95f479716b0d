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
