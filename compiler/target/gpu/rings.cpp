#include "compiler/target/gpu/rings.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/access.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace tessera::gpu {

// Whether the value can be computed once more, elsewhere, for another step of the loop.
static bool isScalarOf(Value value, scf::ForOp loop, Operation *root) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto counts = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return counts ? value == counts.getInductionVar() && counts->isAncestor(loop)
                  : argument.getOwner()->getParentOp() == root;
  }
  Operation *op = value.getDefiningOp();
  if (isa<tile::ProgramOp>(op))
    return true;
  if (op->getNumRegions() || isa<RankedTensorType>(value.getType()))
    return false;
  if (auto load = dyn_cast<tile::LoadOp>(op)) {
    auto view = dyn_cast<BlockArgument>(load.getView());
    auto access = view ? cast<func::FuncOp>(root).getArgAttrOfType<StringAttr>(view.getArgNumber(), tile::accessAttr)
                       : StringAttr();
    if (!access || access.getValue() != "in")
      return false;
  } else if (!isMemoryEffectFree(op)) {
    return false;
  }
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return isa<tile::ViewType>(operand.getType()) || isScalarOf(operand, loop, root);
  });
}

// Fills in how the copy engine brings what is loaded. False where it cannot.
static bool mapTensor(Staged &staged, scf::ForOp loop, func::FuncOp kernel) {
  tile::LoadOp load = staged.load;
  auto view = dyn_cast<BlockArgument>(load.getView());
  auto type = dyn_cast<RankedTensorType>(load.getType());
  if (!view || !type || type.getRank() != 2 || load.getMask() || load.getWhen() || load.getComponent() ||
      !load->hasOneUse())
    return false;
  auto access = kernel.getArgAttrOfType<StringAttr>(view.getArgNumber(), tile::accessAttr);
  std::optional<Box> box = boxOf(load, type, staged.alloc.getType());
  if (!box || access.getValue() != "in")
    return false;
  staged.box = *box;
  return llvm::all_of(box->origin, [&](Value position) { return !position || isScalarOf(position, loop, kernel); });
}

bool areExclusive(Operation *x, Operation *y) {
  for (Operation *up = x->getParentOp(); up; up = up->getParentOp())
    if (auto branch = dyn_cast<scf::IfOp>(up); branch && branch->isProperAncestor(y))
      return branch.getThenRegion().isAncestor(x->getParentRegion()) !=
             branch.getThenRegion().isAncestor(y->getParentRegion());
  return false;
}

std::optional<Ring> ringOf(scf::ForOp loop, func::FuncOp kernel) {
  Ring ring{loop};
  if (!loop->getNumResults())
    return std::nullopt;
  SmallVector<Value> asked{loop.getLowerBound(), loop.getUpperBound(), loop.getStep()};
  for (Operation *up = loop->getParentOp(); up != kernel; up = up->getParentOp()) {
    if (auto branch = dyn_cast<scf::IfOp>(up))
      asked.push_back(branch.getCondition());
    if (auto outer = dyn_cast<scf::ForOp>(up))
      llvm::append_values(asked, outer.getLowerBound(), outer.getUpperBound(), outer.getStep());
  }
  for (Value value : asked)
    if (!isScalarOf(value, loop, kernel))
      return std::nullopt;
  SmallVector<tile::DotOp> dots;
  for (Operation &op : *loop.getBody()) {
    if (op.getNumRegions())
      return std::nullopt;
    if (auto dot = dyn_cast<tile::DotOp>(op))
      dots.push_back(dot);
    auto store = dyn_cast<tile::SharedStoreOp>(op);
    if (!store)
      continue;
    Staged staged{store.getValue().getDefiningOp<tile::LoadOp>(),
                  store,
                  store.getBuffer().getDefiningOp<tile::AllocOp>(),
                  {},
                  {}};
    for (Operation *user : staged.alloc.getBuffer().getUsers())
      if (user != store) {
        if (staged.read || !(staged.read = dyn_cast<tile::SharedLoadOp>(user)))
          return std::nullopt;
      }
    if (!staged.load || !staged.read || staged.alloc->getBlock() != loop.getBody() ||
        staged.read->getBlock() != loop.getBody() || !wgmmaReader(staged.read) || !mapTensor(staged, loop, kernel))
      return std::nullopt;
    ring.staged.push_back(staged);
  }
  if (ring.staged.empty())
    return std::nullopt;
  if (dots.size() == 1 && dots[0]->hasOneUse())
    for (auto [i, carried] : llvm::enumerate(loop.getRegionIterArgs()))
      if (dots[0].getAcc() == carried && carried.hasOneUse() && loop.getYieldedValues()[i] == dots[0].getResult())
        ring.dot = dots[0], ring.sums = unsigned(i);
  return ring;
}

} // namespace tessera::gpu
