// Questions about tile moves on a GPU: who holds what.
#pragma once
#include "compiler/layout/algebra.h"
#include "compiler/layout/swizzle.h"
#include "compiler/tile/layouts.h"

namespace tessera::gpu {

// How a tile.convert or tile.reshape gives each thread what its result does: registers of its own, shuffles within the
// warp where they cost less than a way through shared memory, or that way. In loops shared memory, which keeps
// registers free.
enum class Way { registers, shuffles, shared };
Way cheapestWay(mlir::Operation *move);

// Elements of that type that one shuffle moves.
int64_t elementsAShuffle(mlir::Type type);

// How many warps hold different parts of the tile along `axis`.
int64_t warpsAlong(mlir::Value tile, int axis);

// Row and column in a buffer of the element at `at` of a tile of `shape`: row-major order is kept. In a buffer [panels,
// rows, columns] that is not the tile's own shape its rows are cut into panels of columns, which lie one after another.
std::pair<int64_t, int64_t> placeIn(tile::SharedType buffer, llvm::ArrayRef<int64_t> shape, const Coordinate &at);

// The conflict degree of a tile's accesses, of `vector` elements each, to a buffer: the worst of the first few, which
// differ by constants.
int conflictsOf(const Layout &layout, tile::SharedType buffer, llvm::ArrayRef<int64_t> shape, int64_t vector,
                const Coordinate &from);

// Registers of a tile in that layout that one access of the buffer moves: a run inside one chunk.
int64_t sharedVector(const Layout &layout, tile::SharedType buffer);

// One slot of a buffer, and all of it, in bytes.
Swizzle swizzleOf(tile::SharedType buffer);
int64_t slotBytes(tile::SharedType buffer);
int64_t bufferBytes(tile::SharedType buffer);

} // namespace tessera::gpu
