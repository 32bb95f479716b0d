// A kernel becomes a subprogram that wants line directives only; a line of another file keeps its file.
// RUN: tessera-opt %s --tessera-line-info --mlir-print-debuginfo | FileCheck %s

// CHECK: llvm.func @scale
// CHECK: } loc(#[[KERNEL:.*]])
// CHECK-NEXT: llvm.func @unnamed
// CHECK-NEXT: llvm.return
// CHECK-NEXT: } loc(#[[NONE:.*]])
// CHECK-DAG: #[[NONE]] = loc(unknown)
// CHECK-DAG: #[[FILE:.*]] = #llvm.di_file<"ops/scale.cpp" in "">
// CHECK-DAG: #[[OTHER:.*]] = #llvm.di_file<"ops/helper.cpp" in "">
// CHECK: emissionKind = DebugDirectivesOnly
// CHECK: #[[SCOPE:.*]] = #llvm.di_subprogram<{{.*}}name = "scale"{{.*}}file = #[[FILE]], line = 7,
// CHECK: #[[BLOCK:.*]] = #llvm.di_lexical_block_file<scope = #[[SCOPE]], file = #[[OTHER]]
// CHECK: #[[KERNEL]] = loc(fused<#[[SCOPE]]>[{{.*}}])
// CHECK: loc(fused<#[[BLOCK]]>[{{.*}}])
llvm.func @scale(%x: f32, %p: !llvm.ptr) {
  %y = llvm.fmul %x, %x : f32 loc("ops/scale.cpp":7:0)
  %z = llvm.fadd %y, %x : f32 loc("ops/helper.cpp":3:0)
  llvm.store %z, %p : f32, !llvm.ptr loc("ops/scale.cpp":8:0)
  llvm.return loc("ops/scale.cpp":9:0)
}

// Without any line there is nothing to describe.
llvm.func @unnamed() {
  llvm.return loc(unknown)
} loc(unknown)
