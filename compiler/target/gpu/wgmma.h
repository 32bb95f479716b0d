// Dots that the four warps of a warpgroup do together (wgmma): which they are, and where in shared memory their
// operands lie. PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Operation".
#pragma once
#include "compiler/target/gpu/mma.h"
#include "compiler/tile/layouts.h"

namespace tessera::gpu {

// On a tile.dot (unit): warpgroups do it. Its accumulator lies as that of the mma of one warp does, every warp with 16
// of a warpgroup's 64 rows; the right operand is read from shared memory, the left one too or from registers.
inline constexpr llvm::StringLiteral wgmmaAttr = "tile.wgmma";
inline bool isWgmma(tile::DotOp dot) { return dot->hasAttr(wgmmaAttr); }

// On a dot in a loop (unit): in the loop's first step its sums begin at zero, whatever the accumulator holds.
inline constexpr llvm::StringLiteral restartsAttr = "tile.restarts";

// On a tile.barrier (unit). async_proxy: what the threads wrote to shared memory before is visible to wgmma and the
// copy engine after. stores_read: the engine has read what tile.tensor_store gave it before.
inline constexpr llvm::StringLiteral proxyAttr = "tile.async_proxy", storesReadAttr = "tile.stores_read";

// One operation for a pair of operand types.
struct WgmmaOp {
  std::string_view types; // accumulator, left, right
  DType lhs, rhs;
  int k;
  bool anyMajor;  // operands may lie with m or n side by side; else only with k
  int columnStep; // n is a multiple of it, 256 at most
};

// The row for the dot's operands, or null where `target` has none or its shape does not fit so many warps.
const WgmmaOp *chooseWgmma(const Target &target, tile::DotOp dot, int warps);

// The wgmma dot that is the only reader of the tile, through transposes; null where there is none.
tile::DotOp wgmmaReader(mlir::Value tile);

// What a wgmma dot reads from shared memory; null: the operand is in registers. `turned`: an odd number of transposes
// lies between.
struct SharedOperand {
  tile::SharedLoadOp load;
  bool turned = false;
};
SharedOperand sharedOperand(mlir::Value operand);

// The shape of the buffer for a tile that wgmma or the copy engine reads: itself, or [panels, rows, columns] where a
// row is not what one swizzle covers: 128, 64 or 32 bytes, the widest that divides it.
llvm::SmallVector<int64_t> panelShape(mlir::RankedTensorType tile);

} // namespace tessera::gpu
