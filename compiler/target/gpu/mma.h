// Matrix operations of the GPU targets, one row each, and the layouts in which their operands lie.
#pragma once
#include "base/dtype.h"
#include "base/target.h"
#include "compiler/layout/layout.h"
#include "compiler/tile/tile.h"

namespace tessera::gpu {

// acc[m, n] += sum over k of lhs[m, k] * rhs[k, n] by one warp; or by one thread, where m = n = 1.
struct MmaOp {
  std::string_view name; // of the LLVM intrinsic, or of the arithmetic where m = n = 1
  DType lhs, rhs, acc;
  int m, n, k;
  std::string_view needs; // an ability of Target::gpu; empty = every target
  bool tf32 = false;      // rounds f32 operands to tf32: only for dots that allow it
  bool matrix() const { return m > 1; }
};

// The best row for the dot's operands and shape, or null.
const MmaOp *chooseMma(const Target &target, tile::DotOp dot);

// What a warp's part of a dot's result is: as square as it can be, which reads the least of the operands; whole rows as
// far as the rows allow, so that their reductions stay inside a warp; whole rows always.
enum class WarpSplit { square, rowsFirst, rowsOnly };

// How a block's warps share a dot's result: m x n of them (powers of two); the rest computes the same again.
struct WarpGrid {
  int m = 1, n = 1, spare = 1;
};
WarpGrid warpGrid(const MmaOp &op, llvm::ArrayRef<int64_t> acc, int warps, WarpSplit split);

// Layouts of the accumulator [M,N] and of the operands [M,K], [K,N] that go with it. Which of the operation's rows is
// which of the tile's is free, and so is the order of k where both operands have the same: with `neighbours` > 0 a
// thread has up to as many rows side by side, and with `run` > 0 as many k.
Layout accLayout(const MmaOp &op, llvm::ArrayRef<int64_t> acc, int warps, WarpSplit split, int64_t neighbours = 0);
Layout lhsLayout(const MmaOp &op, const Layout &acc, int64_t depth, int64_t run = 0);
Layout rhsLayout(const MmaOp &op, const Layout &acc, int64_t depth, int64_t run = 0);

// A dot whose right operand is the operation's left one, transposed, and so with the rest. What a thread makes in
// registers suits the left operand, whose fragment mixes rows; the right one's is a run of k, as a wide load of shared
// memory brings it.
inline constexpr llvm::StringLiteral turnedAttr = "tile.turned";
inline bool isTurned(tile::DotOp dot) { return dot->hasAttr(turnedAttr); }

// Which registers one operation takes of the operands of a dot and of its sums, in the order of its fragments.
class Fragments {
public:
  // Of the operation's operands: of a turned dot's the layouts are given as they are, with `turned`.
  Fragments(const MmaOp &op, const Layout &lhs, const Layout &rhs, const Layout &acc, bool turned = false);
  int64_t rows() const { return int64_t(rowsHeld.size()) / rowsEach; } // operations along each axis
  int64_t columns() const { return int64_t(columnsHeld.size()); }
  int64_t steps() const { return int64_t(depthsHeld.size()) / depthsEach; }
  llvm::SmallVector<int64_t> lhs(int64_t row, int64_t step) const;
  llvm::SmallVector<int64_t> rhs(int64_t step, int64_t column) const;
  llvm::SmallVector<int64_t> acc(int64_t row, int64_t column) const;

private:
  using Held = std::vector<int64_t>; // places along an axis that thread 0 has, ascending
  struct Matrix {
    Matrix(const Layout &layout, bool turned);
    int64_t at(int64_t row, int64_t column) const { return registers.at(row * pitch + column); }
    Held along(int axis) const;
    int64_t pitch;
    llvm::DenseMap<int64_t, int64_t> registers; // of thread 0, by element
  };
  Matrix left, right, sums;
  Held rowsHeld, columnsHeld, depthsHeld;
  int64_t rowsEach, depthsEach, word, secondColumn;
};
// The operand of a product that single threads compute, with up to `most` neighbours along k in neighbouring registers:
// one access, where they are neighbours in memory.
Layout withNeighboursAlong(Layout operand, int kAxis, int64_t most);

// Emits one operation. Operands are the elements that a thread holds of one fragment, in register order; `acc` is
// replaced by the result.
void emitMma(mlir::OpBuilder &b, mlir::Location loc, const MmaOp &op, mlir::ValueRange lhs, mlir::ValueRange rhs,
             llvm::MutableArrayRef<mlir::Value> acc);

// 32-bit words from the elements that fill them, low bits first, and back. Elements of 32 bits stay as they are.
llvm::SmallVector<mlir::Value> packWords(mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange elements);
llvm::SmallVector<mlir::Value> unpackWords(mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange words,
                                           mlir::Type element);

} // namespace tessera::gpu
