// Proofs that a range lies inside its bound, so that its accesses need no mask.
#pragma once
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace tessera {

// origin + size <= bound holds.
struct InsideFact {
  mlir::Value origin, bound;
  int64_t size;
};

// The largest known constant divisor of an index value (0 for the constant zero): from constants, tile.divisor on
// arguments, program and loop origins, sums and products.
int64_t knownDivisor(mlir::Value value);

// Whether [origin, origin + size) is within bound, given the facts: directly, shifted by the same amount on both sides,
// or divided by the same constant.
bool isInside(mlir::Value origin, mlir::Value bound, int64_t size, llvm::ArrayRef<InsideFact> facts);

// Whether some access below `root` has a `range` subscript that the facts prove inside.
bool anyInside(mlir::Operation *root, llvm::ArrayRef<InsideFact> facts);

// Whether the value is loaded from panels of packed weights, casts aside. A CPU reads their transpose as it lies.
bool isPackedLoad(mlir::Value value);

// Whether a body is small enough to be compiled twice, with masks and without: its dots have few multiply-adds, its
// transposes few shuffles. Dots of narrow elements count less where `byWarps`, a GPU's matrix operations, do them.
bool worthDuplicating(mlir::Operation *root, bool byWarps = false);

// Turns every `range` subscript below `root` that is inside its bound into a `whole` one, and takes selects by a
// comparison with such a bound as decided. Returns how many subscripts remain.
int markWhole(mlir::Operation *root, llvm::ArrayRef<InsideFact> facts);

} // namespace tessera
