// What a loop's step computes, for computing it in another step too.
#pragma once
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SetVector.h"

namespace tessera::gpu {

using Slice = llvm::SetVector<mlir::Operation *>;

// Whether it may run once more, for another step: it changes nothing, and reads what nobody writes.
bool isRepeatable(mlir::Operation *op);

// Adds what `value` is computed from inside the loop. False where that is not a function of the step alone.
bool collect(mlir::Value value, mlir::scf::ForOp loop, Slice &slice);

} // namespace tessera::gpu
