// Tiles of integers that are positions: what masks compare is a sum of scalars and of a number for each coordinate.
#pragma once
#include "mlir/IR/Value.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace tessera::tile {

// constant + sum of factor * scalar: an integer in terms of scalars (i32 or index).
struct Linear {
  llvm::MapVector<mlir::Value, int64_t> factors; // none is 0
  int64_t constant = 0;
  void add(const Linear &other, int64_t times);
};

// The scalar in terms of those that no sum or difference makes.
Linear linearOf(mlir::Value scalar);

// element(at) = scalars + sum over the axes of axes[d][at[d]]. The scalars are those of the tile's own operations.
struct Positions {
  Linear scalars;
  llvm::SmallVector<llvm::SmallVector<int64_t>> axes; // of the tile's extents
  int64_t least() const;                              // of what the axes add
  int64_t greatest() const;
};

// None where the tile is no such sum: iotas, splats, constants, their sums and differences, quotients by a constant of
// what has no scalars, and all that only gives them another shape.
std::optional<Positions> positionsOf(mlir::Value tile);

} // namespace tessera::tile
