// RUN: tessera-opt %s --tessera-verify-lowered --split-input-file --verify-diagnostics

llvm.func @fine(%x: f32) -> f32 {
  llvm.return %x : f32
}

// -----

llvm.func @left(%x: f32) -> f32 {
  // expected-error @+1 {{'math.exp2' op is left after lowering to the llvm dialect}}
  %y = math.exp2 %x : f32
  llvm.return %y : f32
}
