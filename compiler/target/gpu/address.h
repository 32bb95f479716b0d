// What the files that lower a GPU's global accesses share.
#pragma once
#include "compiler/target/gpu/lower.h"
#include "compiler/tile/access.h"

namespace tessera::gpu {

// What all elements of one access share. Offsets are in elements, or in bytes where the view is packed.
struct GpuLowering::Address {
  mlir::Location loc;
  Layout layout;
  llvm::SmallVector<tile::AxisAccess> axes;
  Registers sizes, strides;               // i64, one an axis
  llvm::SmallVector<mlir::Value> origins; // i64 an axis; null for `all` and gathers
  mlir::Value base;                       // of this thread, in this step: pointer plus origin plus the thread's share
  mlir::Type element;
  bool pure = false;               // the tensor is only read
  const Registers *mask = nullptr; // explicit, in the access's layout
  int64_t lastUnit = 1;            // view positions a step along the last axis: a block for scales
  mlir::Value when;                // i1 for the whole access, or null
  bool inPipeline = false;         // in a loop that keeps many registers: rows are walked from one to the next
  std::map<std::pair<int64_t, int64_t>, mlir::Value> rows, rowSteps; // inPipeline: pointers by axis and place; strides
  std::map<int64_t, mlir::Value> left;                               // i32 by axis: see leftOf()
  std::map<std::pair<int64_t, int64_t>, mlir::Value> inside;         // by axis and place along it
  int64_t unitOf(int64_t axis) const { return axis + 1 == int64_t(axes.size()) ? lastUnit : 1; }
};

// The scalar layout of one tile rank is what a plain scalar access looks like.
inline Layout layoutOfAccess(mlir::Type type) {
  auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type);
  return tensor ? tile::layoutOf(tensor) : Layout{};
}

} // namespace tessera::gpu
