// How a kernel's work is spread over a GPU's threads before anything forces a layout.
#pragma once
#include "compiler/layout/layout.h"
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera::gpu {

// Warps a block, from the tiles that the kernel moves and multiplies. A power of two from 1 to 8.
int defaultWarps(mlir::func::FuncOp kernel);

// Bytes of one element of a tile or scalar, at least 1.
int64_t elementBytes(mlir::Type type);

// Elements that one instruction can move for an access: as many as its alignment allows, 16 bytes at most; 1 where the
// view's last axis is not walked in order.
int64_t widestAccess(mlir::Operation *access);

// How many consecutive registers of the access, in that layout, one instruction moves: as many as lie side by side, are
// aligned, and are cut together by bounds and masks.
int64_t accessVector(mlir::Operation *access, const Layout &layout);

// Registers of up to `vector` elements along the last axis, then lanes along it until they cover 128 bytes' worth of
// vectors, then lanes and warps along the other axes, last to first.
Layout accessLayout(llvm::ArrayRef<int64_t> shape, int64_t vector, int warps);

// How many consecutive elements of the last axis consecutive registers hold.
int64_t contiguous(const Layout &layout);

// The largest power of two of bytes, up to 16, that the address of every element (.., 0) of the access is known to be a
// multiple of, given an element's width.
int64_t knownAlignment(mlir::Operation *access);

} // namespace tessera::gpu
