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

// Stored numbers that the target cannot convert travel as bits; f16, which it can, stays.
// CHECK-LABEL: func.func @stored
// CHECK: llvm.load {{.*}} -> vector<8xi16>
// CHECK: vector.extract {{.*}} : i16 from vector<8xi16>
// CHECK-NOT: bf16
// CHECK: llvm.load {{.*}} -> vector<8xf16>
// CHECK: arith.extf
func.func @stored(%p: !llvm.ptr, %c: i1) -> (vector<8xf32>, f32, vector<8xf32>) {
  %0 = llvm.load %p : !llvm.ptr -> vector<8xbf16>
  %zero = arith.constant dense<0.0> : vector<8xbf16>
  %1 = arith.select %c, %0, %zero : vector<8xbf16>
  %2 = arith.extf %1 : vector<8xbf16> to vector<8xf32>
  %3 = vector.extract %0[3] : bf16 from vector<8xbf16>
  %4 = arith.extf %3 : bf16 to f32
  %5 = llvm.load %p : !llvm.ptr -> vector<8xf16>
  %6 = arith.extf %5 : vector<8xf16> to vector<8xf32>
  return %2, %4, %6 : vector<8xf32>, f32, vector<8xf32>
}
