// How a tile load or store on a CPU walks memory: tile axes against view axes, and whether lanes are consecutive.
#pragma once
#include "base/dtype.h"
#include "compiler/layout/layout.h"
#include "compiler/tile/tile.h"

namespace tessera::cpu {

// One axis of a view as an access subscripts it.
struct AxisAccess {
  tile::Subscript kind;
  mlir::Value index; // point, origin or gather tile; null for `all`
  mlir::Value bound; // of a range; else null
  int tileAxis;      // which axis of the tile walks here, or -1
};

// Works for tile.load, tile.store and tile.atomic_add.
llvm::SmallVector<AxisAccess> axesOf(mlir::Operation *access);

// A packed tensor's row of data, or null for a plain one.
const PackedFormat *packedFormat(tile::ViewType view);

// Bit offset inside a panel block (16 rows x one block of columns) of a component's element; see base/dtype.h.
// `column` is a value's column in the block; ignored for scales and mins.
int64_t panelBit(const PackedFormat &format, tile::Component component, int64_t row, int64_t column);

// Whether each register of the layout is one run of memory: element l of a register lies l elements after element 0.
bool lanesAreConsecutive(mlir::Operation *access, const Layout &layout);

} // namespace tessera::cpu
