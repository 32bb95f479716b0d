// Between #tile.layout on a tensor type and the Layout class.
#pragma once
#include "compiler/layout/layout.h"
#include "compiler/tile/tile.h"

namespace tessera::tile {

// The layout that the type carries; requires one.
Layout layoutOf(mlir::RankedTensorType type);
bool hasLayout(mlir::Type type);
// The type with that layout as its encoding.
mlir::RankedTensorType withLayout(mlir::RankedTensorType type, const Layout &layout);

} // namespace tessera::tile
