// Operations of warp specialisation (role_ops.td).
#pragma once
#include "compiler/tile/tile.h"

#define GET_OP_CLASSES
#include "compiler/tile/role_ops.h.inc"

namespace tessera::tile {

// On a kernel for a GPU: how many producing warps run beside `tile.warps` (i64), and what its tensor maps tell of: for
// each the argument, the bytes of the swizzle, then the box (an array of i64 arrays).
inline constexpr llvm::StringLiteral producersAttr = "tile.producers", mapsAttr = "tile.maps";
// On a tile.dot (i64): so many groups of wgmma may be under way after it. On a tile.alloc (unit): lives all along.
inline constexpr llvm::StringLiteral pendingAttr = "tile.pending", keptAttr = "tile.kept";

} // namespace tessera::tile
