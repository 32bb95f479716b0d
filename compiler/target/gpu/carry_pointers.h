// Pointers that walk with a loop: marked by the lowering, carried from step to step.
#pragma once
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Value.h"

namespace tessera::gpu {

// Asks for the pointer, which an llvm.getelementptr in a loop makes, to be carried.
void markCarried(mlir::Value pointer);

// Makes every marked pointer that moves by the same bytes in each step a value that its loop carries, and has what is
// used behind a loop of many sums computed anew there from the thread's number and, if `blocksToo`, the block's: not in
// raster order, which takes more registers to compute than to keep.
void carryPointers(mlir::func::FuncOp kernel, bool blocksToo);

} // namespace tessera::gpu
