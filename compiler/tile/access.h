// How a tile load or store walks memory: tile axes against view axes, and where a packed tensor's parts lie.
#pragma once
#include "base/dtype.h"
#include "compiler/layout/panels.h"
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

// How its panels lie, or null for a plain one.
const Panel *panelOf(ViewType view);

// Whether the component is a plane of codes, 32 bits an element.
inline bool isWords(Component component) { return component == Component::words || component == Component::highWords; }
// The array that holds the component; `plane` counts the planes of `codes`, other components have one.
const PanelPart &partOf(const Panel &panel, Component component, int plane);
// Bits of a component's element as a kernel sees it.
int elementBits(const Panel &panel, Component component);
// Columns of the view that one element of the component covers; `columns` is how many the access takes.
int64_t columnsAnElement(const Panel &panel, Component component, int64_t columns);

} // namespace tessera::tile
