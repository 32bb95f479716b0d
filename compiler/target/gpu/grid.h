// How a GPU's programs walk the grid: what tile-walk-grid decides, and the lowering and the launch obey.
#pragma once
#include "llvm/ADT/StringRef.h"

namespace tessera::gpu {

// On a kernel. raster (i64): programs take the blocks of the last two axes in groups of so many along the last axis.
// persistent (unit): a launch has fewer blocks than programs; block b of n takes the programs b, b + n, b + 2n, ...
inline constexpr llvm::StringLiteral rasterAttr = "tile.raster", persistentAttr = "tile.persistent";

} // namespace tessera::gpu
