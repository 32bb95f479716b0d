// The row of base/targets.cpp that a pass's `target` option names, and the words of its refusals.
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

// As refusals name a tile: 128x64xf32.
inline std::string shapeText(mlir::RankedTensorType type) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (int64_t extent : type.getShape())
    out << extent << "x";
  out << type.getElementType();
  return text;
}

} // namespace tessera
