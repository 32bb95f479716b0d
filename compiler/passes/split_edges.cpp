#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {
#define GEN_PASS_DEF_TILESPLITEDGES
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// if (every block lies inside its bound) { body without masks } else { body }
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
    if (markWhole(getOperation(), always) == 0 || wanted.empty() || !anyInside(getOperation(), wanted) ||
        !worthDuplicating(getOperation()))
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
    auto branch = scf::IfOp::create(b, loc, inside, /*withElseRegion=*/true);
    IRMapping map;
    b.setInsertionPointToStart(branch.thenBlock());
    for (Operation *op : rest)
      b.clone(*op, map);
    for (Operation *op : rest)
      op->moveBefore(branch.elseBlock()->getTerminator());
    // Values above the branch are the same inside the clone, so the facts hold there as they stand.
    for (Operation &op : *branch.thenBlock())
      markWhole(&op, wanted);
  }
};

} // namespace
