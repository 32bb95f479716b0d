// Loops whose operands the copy engine can bring: what of a tensor goes where, and on what conditions.
#pragma once
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <optional>

namespace tessera::gpu {

// One operand of a ring's dots: tensor -> load -> store -> buffer -> read -> wgmma.
struct Staged {
  tile::LoadOp load;
  tile::SharedStoreOp store;
  tile::AllocOp alloc;
  tile::SharedLoadOp read;
  llvm::SmallVector<int64_t> map;        // an entry of tile.maps
  llvm::SmallVector<mlir::Value> origin; // null: 0
  mlir::Value row, limit; // rows from `limit` on are zeros, though the tensor may go on: the first is `row`
};

struct Ring {
  mlir::scf::ForOp loop;
  llvm::SmallVector<Staged> staged;
  tile::DotOp dot;   // the only one, if its sums go from step to step unseen
  unsigned sums = 0; // the loop's result that these are
};

// The loop as a ring, where all that it stages for its dots can come by tensor maps.
std::optional<Ring> ringOf(mlir::scf::ForOp loop, mlir::func::FuncOp kernel);

} // namespace tessera::gpu
