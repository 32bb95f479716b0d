#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "compiler/tile/access.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {
#define GEN_PASS_DEF_TILESPLITEDGES
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// if (every block lies inside its bound) { body without masks } else { body }
// On a GPU a loop that would be peeled counts as well: its steps are whole, or the whole program is an edge. There a
// loop that carries nothing is a body as well: that of a program that takes one block after another.
struct SplitEdges : tessera::impl::TileSplitEdgesBase<SplitEdges> {
  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    SmallVector<InsideFact> always, wanted;
    Operation *last = nullptr;
    for (auto program : body.getOps<tile::ProgramOp>()) {
      int64_t block = program.getBlock();
      InsideFact fact{program.getOrigin(), program.getBound(), block};
      (knownDivisor(program.getBound()) % block == 0 ? always : wanted).push_back(fact);
      last = program;
    }
    SmallVector<scf::ForOp> walks;
    if (getOperation()->hasAttr(tile::alignedAttr))
      llvm::copy_if(body.getOps<scf::ForOp>(), std::back_inserter(walks),
                    [](scf::ForOp loop) { return !loop->getNumResults() && getConstantIntValue(loop.getStep()) == 1; });
    if (markWhole(getOperation(), always) != 0)
      split(getOperation(), body, last, wanted);
    for (scf::ForOp loop : walks)
      splitWalk(loop);
  }

  // The blocks of an iteration are the ranges that begin where the loop's body says.
  void splitWalk(scf::ForOp loop) {
    Block &body = *loop.getBody();
    SmallVector<InsideFact> wanted;
    Operation *last = nullptr;
    loop->walk([&](Operation *op) {
      if (!isa<tile::LoadOp, tile::StoreOp>(op))
        return;
      auto sizes = op->getAttrOfType<DenseI64ArrayAttr>("sizes").asArrayRef();
      for (auto [axis, size] : llvm::zip(tile::axesOf(op), sizes)) {
        Operation *origin = axis.index ? axis.index.getDefiningOp() : nullptr;
        if (axis.kind != tile::Subscript::range || !origin || origin->getBlock() != &body ||
            !loop.isDefinedOutsideOfLoop(axis.bound))
          continue;
        wanted.push_back({axis.index, axis.bound, size});
        last = last && origin->isBeforeInBlock(last) ? last : origin;
      }
    });
    if (last)
      split(loop, body, last, wanted);
  }

  // Splits what stands in `body`, which is `root`'s, behind `last`.
  void split(Operation *root, Block &body, Operation *last, SmallVector<InsideFact> &wanted) {
    if (wanted.empty() || !anyInside(root, wanted) ||
        !worthDuplicating(root, getOperation()->hasAttr(tile::alignedAttr)))
      return;
    OpBuilder b(getOperation().getContext());
    b.setInsertionPointAfter(last);
    Location loc = last->getLoc();
    SmallVector<Operation *> rest;
    for (auto it = std::next(last->getIterator()); &*it != body.getTerminator(); ++it)
      rest.push_back(&*it);
    Value inside;
    for (const InsideFact &fact : wanted) {
      Value end = arith::AddIOp::create(b, loc, fact.origin, arith::ConstantIndexOp::create(b, loc, fact.size));
      Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, end, fact.bound);
      inside = inside ? arith::AndIOp::create(b, loc, inside, fits) : fits;
    }
    SmallVector<scf::ForOp> loops;
    if (getOperation()->hasAttr(tile::alignedAttr))
      root->walk([&](scf::ForOp loop) {
        if (!hasWholeSteps(loop, last))
          return;
        loops.push_back(loop);
        Value rest = arith::RemUIOp::create(
            b, loc, loop.getUpperBound(), arith::ConstantIndexOp::create(b, loc, *getConstantIntValue(loop.getStep())));
        Value none = arith::ConstantIndexOp::create(b, loc, 0);
        inside =
            arith::AndIOp::create(b, loc, inside, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, rest, none));
      });
    auto branch = scf::IfOp::create(b, loc, inside, /*withElseRegion=*/true);
    IRMapping map;
    b.setInsertionPointToStart(branch.thenBlock());
    for (Operation *op : rest)
      b.clone(*op, map);
    for (scf::ForOp loop : loops) {
      auto whole = cast<scf::ForOp>(map.lookup(loop.getResult(0)).getDefiningOp());
      wanted.push_back({whole.getInductionVar(), loop.getUpperBound(), *getConstantIntValue(loop.getStep())});
    }
    for (Operation *op : rest)
      op->moveBefore(branch.elseBlock()->getTerminator());
    // Values above the branch are the same inside the clone, so the facts hold there as they stand.
    for (Operation &op : *branch.thenBlock())
      markWhole(&op, wanted);
  }

  // A loop over a size that is known before `branch` stands, in constant steps, with masks in it.
  static bool hasWholeSteps(scf::ForOp loop, Operation *branch) {
    auto step = getConstantIntValue(loop.getStep());
    Operation *bound = loop.getUpperBound().getDefiningOp();
    bool known = bound ? bound->getBlock() == branch->getBlock() && bound->isBeforeInBlock(branch)
                       : isa<func::FuncOp>(cast<BlockArgument>(loop.getUpperBound()).getOwner()->getParentOp());
    return known && step && *step > 1 && getConstantIntValue(loop.getLowerBound()) == 0 && loop->getNumResults() &&
           knownDivisor(loop.getUpperBound()) % *step != 0 &&
           anyInside(loop, InsideFact{loop.getInductionVar(), loop.getUpperBound(), *step});
  }
};

} // namespace
