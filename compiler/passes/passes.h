// The compiler's passes: one file each; see passes.td for what they do and pipeline.cpp for their order.
#pragma once
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace tessera {
#define GEN_PASS_DECL
#include "compiler/passes/passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/passes/passes.h.inc"
} // namespace tessera
