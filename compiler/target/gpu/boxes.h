// Boxes: what of a tensor the copy engine (TMA) brings to a shared buffer, or takes from one.
#pragma once
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>

namespace tessera::gpu {

struct Box {
  llvm::SmallVector<int64_t> map;        // an entry of tile.maps
  llvm::SmallVector<mlir::Value> origin; // one position an axis of the tensor; null: 0
  mlir::Value row, limit; // rows from `limit` on are to be left out, though the tensor may go on: the first is `row`
};

// The box of a tile.load or tile.store of a `tile` that lies row after row in `buffer`, maybe cut into panels. None
// where the engine cannot walk the tensor so.
std::optional<Box> boxOf(mlir::Operation *access, mlir::RankedTensorType tile, tile::SharedType buffer);

// The number of the map in the kernel's tile.maps, to which it is added if it is new.
int64_t mapNumber(mlir::func::FuncOp kernel, llvm::ArrayRef<int64_t> map);

} // namespace tessera::gpu
