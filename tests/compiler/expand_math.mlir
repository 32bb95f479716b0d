// No elementary function is left for a library call; what the target has as an instruction stays.
// RUN: tessera-opt %s --expand-math=target=cpu-avx2 | FileCheck %s

// CHECK-LABEL: func.func @elementary
// CHECK-NOT: math.{{exp2|log2|tanh|sin|cos}}
// CHECK: math.fma
// CHECK-NOT: math.{{exp2|log2|tanh|sin|cos}}
// CHECK: return
func.func @elementary(%x: vector<8xf32>) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
  %0 = math.exp2 %x : vector<8xf32>
  %1 = math.log2 %x : vector<8xf32>
  %2 = math.tanh %x : vector<8xf32>
  %3 = math.sin %x : vector<8xf32>
  %4 = math.cos %x : vector<8xf32>
  return %0, %1, %2, %3, %4 : vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>
}

// CHECK-LABEL: func.func @instructions
func.func @instructions(%x: vector<8xf32>) -> (vector<8xf32>, vector<8xf32>) {
  // CHECK: math.sqrt
  %0 = math.sqrt %x : vector<8xf32>
  // CHECK: math.absf
  %1 = math.absf %x : vector<8xf32>
  return %0, %1 : vector<8xf32>, vector<8xf32>
}
