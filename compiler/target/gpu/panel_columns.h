// Float weights in panels, of which the rows of a column lie side by side: read as they lie, and turned so for a dot.
#pragma once
#include "compiler/tile/tile.h"

namespace tessera::gpu {

// Whether the load takes whole columns of such weights: a thread's neighbours are then rows.
bool readsColumns(tile::LoadOp load);

// Where the dot's operand is the transpose of such a load, cast or not, puts the transpose before the casts: narrow
// elements then reach shared memory with the rows of a panel side by side, as they came. Whether it did. For
// tile-assign-gpu-layouts, once types have layouts.
bool turnColumns(mlir::OpOperand &operand);

} // namespace tessera::gpu
