// Loops whose operands the copy engine can bring: what of a tensor goes where, and on what conditions.
#pragma once
#include "compiler/target/gpu/boxes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <optional>

namespace tessera::gpu {

// One operand of a ring's dots: tensor -> load -> store -> buffer -> read -> wgmma.
struct Staged {
  tile::LoadOp load;
  tile::SharedStoreOp store;
  tile::AllocOp alloc;
  tile::SharedLoadOp read;
  Box box;
};

struct Ring {
  mlir::scf::ForOp loop;
  llvm::SmallVector<Staged> staged;
  tile::DotOp dot;   // the only one, if its sums go from step to step unseen
  unsigned sums = 0; // the loop's result that these are
};

// Whether the operations stand in the two branches of one scf.if.
bool areExclusive(mlir::Operation *x, mlir::Operation *y);

// The loop as a ring, where all that it stages for its dots can come by tensor maps.
std::optional<Ring> ringOf(mlir::scf::ForOp loop, mlir::func::FuncOp kernel);

} // namespace tessera::gpu
