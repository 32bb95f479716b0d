#include "compiler/target/gpu/load_ahead.h"
#include "compiler/target/gpu/repeat.h"
#include "compiler/tile/access.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace tessera::gpu {

// Loads from panels that no pipeline has moved yet, if words of codes are among them.
static SmallVector<tile::LoadOp> panelLoads(scf::ForOp loop, Slice &addresses) {
  SmallVector<tile::LoadOp> loads;
  bool words = false;
  for (auto load : loop.getBody()->getOps<tile::LoadOp>()) {
    if (load.use_empty() || !load.getComponent() || load.getComponent() == tile::Component::codes || load.getWhen() ||
        !isRepeatable(load))
      continue;
    Slice slice = addresses;
    if (!llvm::all_of(load->getOperands(), [&](Value operand) { return collect(operand, loop, slice); }) ||
        llvm::any_of(slice, [](Operation *op) { return isa<tile::LoadOp>(op); })) // of a step that may not come
      continue;
    addresses = slice;
    loads.push_back(load);
    words |= tile::isWords(*load.getComponent());
  }
  return words ? loads : SmallVector<tile::LoadOp>();
}

namespace {

// Loads of another step.
class Step {
public:
  Step(IRRewriter &b, scf::ForOp loop, const Slice &addresses, Value at) : b(b) {
    map.map(loop.getInductionVar(), at);
    when = arith::CmpIOp::create(b, loop.getLoc(), arith::CmpIPredicate::slt, at, loop.getUpperBound());
    for (Operation *op : addresses)
      b.clone(*op, map);
  }
  // What is not read stays as `old` has it.
  Value load(tile::LoadOp load, Value old = {}) {
    auto copy = cast<tile::LoadOp>(b.clone(*load, map));
    copy.getWhenMutable().assign(when);
    if (old)
      copy.getOtherwiseMutable().assign(old);
    return copy;
  }

private:
  IRRewriter &b;
  IRMapping map;
  Value when;
};

// The last operation of the loop's body that reads the value.
Operation *lastUser(Value value, scf::ForOp loop) {
  Operation *last = nullptr;
  for (Operation *user : value.getUsers()) {
    Operation *here = loop.getBody()->findAncestorOpInBlock(*user);
    last = !last || last->isBeforeInBlock(here) ? here : last;
  }
  return last;
}

} // namespace

void loadAhead(scf::ForOp loop) {
  Slice addresses;
  SmallVector<tile::LoadOp> loads = panelLoads(loop, addresses);
  if (loads.empty())
    return;
  IRRewriter b(loop.getContext());
  b.setInsertionPoint(loop);
  Step firstStep(b, loop, addresses, loop.getLowerBound());
  SmallVector<Value> first;
  for (tile::LoadOp load : loads)
    first.push_back(firstStep.load(load));
  auto keep = [](OpBuilder &, Location, ArrayRef<BlockArgument> added) { return SmallVector<Value>(added); };
  loop = cast<scf::ForOp>(
      (*loop.replaceWithAdditionalYields(b, first, /*replaceInitOperandUsesInLoop=*/false, keep)).getOperation());
  ValueRange carried = loop.getRegionIterArgs().take_back(loads.size());
  MutableArrayRef<OpOperand> yielded = loop.getBody()->getTerminator()->getOpOperands().take_back(loads.size());
  b.setInsertionPointToStart(loop.getBody());
  Value at = arith::AddIOp::create(b, loop.getLoc(), loop.getInductionVar(), loop.getStep());
  Step nextStep(b, loop, addresses, at);
  for (auto [load, held, next] : llvm::zip(loads, carried, yielded)) {
    // Behind the last that reads this step's: the next ones come into the same registers.
    Operation *last = lastUser(load, loop);
    if (last->hasTrait<OpTrait::IsTerminator>())
      b.setInsertionPoint(last);
    else
      b.setInsertionPointAfter(last);
    next.set(nextStep.load(load, held));
    b.replaceOp(load, held);
  }
  loop.emitRemark() << "loaded ahead: " << loads.size() << " parts of packed weights, in registers";
}

} // namespace tessera::gpu
