// The row of base/targets.cpp that a pass's `target` option names.
#pragma once
#include "base/target.h"
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace tessera {

// Null, with an error at `op`, where there is none.
inline const Target *targetRow(mlir::Operation *op, const std::string &name) {
  auto row = findTarget(name);
  if (!row)
    op->emitError(row.error().message);
  return row ? *row : nullptr;
}

// The functions of a module that are kernels.
inline llvm::SmallVector<mlir::func::FuncOp> kernelsOf(mlir::ModuleOp module) {
  llvm::SmallVector<mlir::func::FuncOp> kernels;
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (function->hasAttr(tile::kernelAttr))
      kernels.push_back(function);
  return kernels;
}

} // namespace tessera
