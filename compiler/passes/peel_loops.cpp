#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {
#define GEN_PASS_DEF_TILEPEELLOOPS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// for i in 0..n by s { body }  ->  for i in 0..(n - n % s) by s { body without masks }; for i in that..n by s { body }
struct PeelLoops : tessera::impl::TilePeelLoopsBase<PeelLoops> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) { loops.push_back(loop); }); // inner loops first
    for (scf::ForOp loop : loops)
      peel(loop);
  }

  // In a GPU's aligned entry the interior has whole steps, and the edge's loop, where it would be peeled, held three
  // bodies of a product in one entry: the last one's masks spilled registers that the others did not miss.
  bool isEdgeBesideWhole(scf::ForOp loop) {
    auto branch = loop->getParentOfType<scf::IfOp>();
    return branch && getOperation()->hasAttr(tile::alignedAttr) && branch.elseBlock() &&
           branch.getElseRegion().isAncestor(loop->getParentRegion());
  }

  void peel(scf::ForOp loop) {
    auto step = getConstantIntValue(loop.getStep());
    if (!step || *step <= 1 || getConstantIntValue(loop.getLowerBound()) != 0)
      return;
    Value bound = loop.getUpperBound();
    InsideFact fact{loop.getInductionVar(), bound, *step};
    if (knownDivisor(bound) % *step == 0) {
      markWhole(loop, fact);
      return;
    }
    if (isEdgeBesideWhole(loop) || !anyInside(loop, fact) ||
        !worthDuplicating(loop, getOperation()->hasAttr(tile::alignedAttr)))
      return;
    OpBuilder b(loop);
    Location loc = loop.getLoc();
    Value rest = arith::RemUIOp::create(b, loc, bound, loop.getStep());
    Value wholeEnd = arith::SubIOp::create(b, loc, bound, rest);
    b.setInsertionPointAfter(loop);
    IRMapping map;
    auto tail = cast<scf::ForOp>(b.clone(*loop, map));
    loop.getResults().replaceAllUsesWith(tail.getResults());
    tail.setLowerBound(wholeEnd);
    tail.getInitArgsMutable().assign(loop.getResults());
    markWhole(loop, fact); // while the loop still runs to `bound`, which the subscripts name
    loop.setUpperBound(wholeEnd);
  }
};

} // namespace
