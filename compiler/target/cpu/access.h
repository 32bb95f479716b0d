// Whether the lanes of a register are consecutive in memory on a CPU.
#pragma once
#include "compiler/layout/layout.h"
#include "compiler/tile/tile.h"

namespace tessera::cpu {

// Whether each register of the layout is one run of memory: element l of a register lies l elements after element 0.
bool lanesAreConsecutive(mlir::Operation *access, const Layout &layout);

} // namespace tessera::cpu
