// Decides in which order programs run over the grid. Neither choice changes a result: programs share nothing.
//
// Raster: the programs that run at one time should share operands, so that L2 serves them. A product's programs in the
// order of the grid are a column of blocks: all rows of the left operand for one column of the right. In groups of g
// rows, columns within a group, as many programs touch g rows and many columns, nearly square.
//
//   grid order   0 4 8    groups of 2   0 2 4
//   (rows fast)  1 5 9                  1 3 5
//                2 6 10                 6 8 10
//                3 7 11                 7 9 11
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/grid.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tessera {
#define GEN_PASS_DEF_TILEWALKGRID
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Which programs a value is computed from, through loops and memory.
void collect(Value value, llvm::SmallDenseSet<Value> &seen, llvm::SmallDenseSet<Operation *> &programs) {
  if (!seen.insert(value).second)
    return;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop) // the kernel's own
      return;
    if (argument != loop.getInductionVar())
      return collect(loop.getTiedLoopInit(argument)->get(), seen, programs);
    collect(loop.getLowerBound(), seen, programs);
    return collect(loop.getUpperBound(), seen, programs);
  }
  Operation *op = value.getDefiningOp();
  if (isa<tile::ProgramOp>(op))
    programs.insert(op);
  else
    for (Value operand : op->getOperands())
      collect(operand, seen, programs);
}

struct WalkGrid : tessera::impl::TileWalkGridBase<WalkGrid> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    SmallVector<tile::ProgramOp> axes;
    getOperation()->walk([&](tile::ProgramOp op) { axes.push_back(op); });
    llvm::sort(axes, [](tile::ProgramOp x, tile::ProgramOp y) { return x.getAxis() < y.getAxis(); });
    Builder b(&getContext());
    int rows = raster ? raster : chip->gpu.raster;
    if (rows > 1 && isProduct(axes))
      getOperation()->setAttr(gpu::rasterAttr, b.getI64IntegerAttr(rows));
    if (persistent > 0 && llvm::all_of(axes, hasKnownBound) && !axes.empty())
      getOperation()->setAttr(gpu::persistentAttr, b.getUnitAttr());
  }

  // The kernel itself must divide by it, not only the launch.
  static bool hasKnownBound(tile::ProgramOp axis) {
    return isa<BlockArgument>(axis.getBound()) || getConstantIntValue(axis.getBound());
  }

  // Whether a dot's operands depend on one of the last two axes each.
  bool isProduct(ArrayRef<tile::ProgramOp> axes) {
    if (axes.size() < 2 || !llvm::all_of(axes.take_back(2), hasKnownBound))
      return false;
    Operation *slow = axes[axes.size() - 2], *fast = axes.back();
    auto only = [&](Value value) -> Operation * {
      llvm::SmallDenseSet<Value> seen;
      llvm::SmallDenseSet<Operation *> programs;
      collect(value, seen, programs);
      return programs.contains(slow) == programs.contains(fast) ? nullptr : programs.contains(slow) ? slow : fast;
    };
    WalkResult found = getOperation()->walk([&](tile::DotOp dot) {
      Operation *left = only(dot.getLhs()), *right = only(dot.getRhs());
      return left && right && left != right ? WalkResult::interrupt() : WalkResult::advance();
    });
    return found.wasInterrupted();
  }
};

} // namespace
