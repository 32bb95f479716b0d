// Packed weights that a loop multiplies out of registers, loaded a step ahead.
#pragma once
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tessera::gpu {

// Where a step of the loop reads words of codes and multiplies what it makes of them: the step loads those of the next
// one, and the scales and mins beside them, and carries them there as they lie in memory.
void loadAhead(mlir::scf::ForOp loop);

} // namespace tessera::gpu
