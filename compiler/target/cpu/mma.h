// Matrix operations of the CPU targets, one row each: what one instruction multiplies and how its operands must lie.
#pragma once
#include "base/dtype.h"
#include "base/target.h"
#include "compiler/layout/layout.h"
#include "compiler/tile/tile.h"

namespace tessera::cpu {

// acc[m, n..n+W) += sum over `depth` k of lhs[m, k] * rhs[k, n..n+W), W = 32-bit lanes of a vector register.
// lhs layout: `depth` k values in the lanes of one register (a scalar where depth = 1), which is broadcast.
// rhs layout: W columns x `depth` k values, the k values of one column side by side.
struct MmaOp {
  std::string_view name;
  DType lhs, rhs; // the accumulator is f32 for floats, else i32
  int depth;
  std::string_view needs; // part of Target::features; empty = every target
};

// The best row for the dot's operands, or null.
const MmaOp *chooseMma(const Target &target, tile::DotOp dot);

Layout lhsLayout(const MmaOp &op, llvm::ArrayRef<int64_t> shape);
Layout rhsLayout(const MmaOp &op, llvm::ArrayRef<int64_t> shape, int lanes);

// Emits one operation on registers laid out as above; `lhs` is a scalar or a vector of `depth` elements.
mlir::Value emitMma(mlir::OpBuilder &b, mlir::Location loc, const MmaOp &op, mlir::Value lhs, mlir::Value rhs,
                    mlir::Value acc);

// 32-bit lanes of the target's vector registers.
inline int lanes(const Target &target) { return target.vectorBytes / 4; }

} // namespace tessera::cpu
