// How a tile load or store walks memory: tile axes against view axes, and where a packed tensor's parts lie.
#pragma once
#include "base/dtype.h"
#include "compiler/tile/tile.h"

namespace tessera::tile {

// One axis of a view as an access subscripts it.
struct AxisAccess {
  Subscript kind;
  mlir::Value index; // point, origin or gather tile; null for `all`
  mlir::Value bound; // of a range; else null
  int tileAxis;      // which axis of the tile walks here, or -1
};

// Works for tile.load, tile.store, tile.atomic_add and tile.copy.
llvm::SmallVector<AxisAccess> axesOf(mlir::Operation *access);
ViewType viewOf(mlir::Operation *access);

// A packed tensor's row of data, or null for a plain one.
const PackedFormat *packedFormat(ViewType view);

// Bit offset inside a panel block (16 rows x one block of columns) of a component's element; see base/dtype.h.
// `column` is a value's column in the block; ignored for scales and mins.
int64_t panelBit(const PackedFormat &format, Component component, int64_t row, int64_t column);

} // namespace tessera::tile
