#include "compiler/target/gpu/repeat.h"
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace tessera::gpu {

bool isRepeatable(Operation *op) {
  if (op->getNumRegions())
    return false;
  if (isMemoryEffectFree(op))
    return true;
  auto load = dyn_cast<tile::LoadOp>(op);
  auto view = load ? dyn_cast<BlockArgument>(load.getView()) : BlockArgument();
  if (!view)
    return false;
  auto kernel = op->getParentOfType<func::FuncOp>();
  auto access = kernel.getArgAttrOfType<StringAttr>(view.getArgNumber(), tile::accessAttr);
  return access && access.getValue() == "in";
}

bool collect(Value value, scf::ForOp loop, Slice &slice) {
  if (value == loop.getInductionVar() || loop.isDefinedOutsideOfLoop(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != loop.getBody() || !isRepeatable(op))
    return false;
  for (Value operand : op->getOperands())
    if (!collect(operand, loop, slice))
      return false;
  slice.insert(op); // operands first
  return true;
}

} // namespace tessera::gpu
