// A masked step's comparisons cost a chip more than its other work between two products. Where a loop selects by
// comparisons that hold for every element of its first steps, as attention's causal mask does before the diagonal,
// those steps become a loop of their own, without comparisons; the rest follows, and takes over what the first one
// carries:
//
//   for i in 0..n by s { select(i + column <= row, x, -inf) }
//     ->  for i in 0..m by s { x }; for i in m..n by s { select(i + column <= row, x, -inf) }
//
// The order of all sums stays. It comes after layouts and rings, for what a ring knows is carried as well.
#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "compiler/tile/positions.h"
#include "compiler/tile/roles.h"
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {
#define GEN_PASS_DEF_TILESPLITMASKS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using tessera::tile::Linear;

namespace {

// What is at most 0 exactly where x < y (or x <= y) for all elements; none where they are no positions.
std::optional<Linear> allBelow(Value x, Value y, bool orEqual) {
  Linear form;
  form.constant = orEqual ? 0 : 1;
  if (!isa<RankedTensorType>(x.getType())) {
    form.add(tile::linearOf(x), 1);
    form.add(tile::linearOf(y), -1);
    return form;
  }
  std::optional<tile::Positions> left = tile::positionsOf(x), right = tile::positionsOf(y);
  if (!left || !right)
    return std::nullopt;
  form.constant += left->scalars.constant + left->greatest() - right->scalars.constant - right->least();
  for (auto [value, factor] : left->scalars.factors)
    form.add(tile::linearOf(value), factor);
  for (auto [value, factor] : right->scalars.factors)
    form.add(tile::linearOf(value), -factor);
  return form;
}

// What is at most 0 exactly where the comparison is `value` for all elements.
std::optional<Linear> decided(arith::CmpIOp compare, bool value) {
  using P = arith::CmpIPredicate;
  P predicate = value ? compare.getPredicate() : arith::invertPredicate(compare.getPredicate());
  Value x = compare.getLhs(), y = compare.getRhs();
  switch (predicate) {
  case P::slt:
  case P::sle:
    return allBelow(x, y, predicate == P::sle);
  case P::sgt:
  case P::sge:
    return allBelow(y, x, predicate == P::sge);
  default:
    return std::nullopt;
  }
}

struct SplitMasks : tessera::impl::TileSplitMasksBase<SplitMasks> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr(tile::alignedAttr)) // the other entry is compiled for any sizes, and for few
      return;
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops)
      split(loop);
  }

  // Small loops hide their masks behind their loads. Products of threads are long code that is not worth having twice;
  // rings that count phases, and products that are on their way into the next step, belong to one loop.
  static bool isWorthIt(scf::ForOp loop) {
    bool multiplies = false;
    for (Operation &op : *loop.getBody()) {
      auto read = dyn_cast<tile::SharedLoadOp>(op);
      if (op.hasAttr(tile::pendingAttr) || isa<scf::ForOp>(op) || (read && read.getPhase()))
        return false;
      if (auto dot = dyn_cast<tile::DotOp>(op))
        multiplies |= cast<RankedTensorType>(dot.getLhs().getType()).getElementTypeBitWidth() <= 16;
    }
    return multiplies;
  }

  // The greatest value of the loop's variable for which `form` is at most 0; none where it is not so up to some step.
  static std::optional<Linear> lastStep(const Linear &form, scf::ForOp loop) {
    Linear last;
    last.constant = -form.constant;
    for (auto [value, factor] : form.factors)
      if (value != loop.getInductionVar() && loop.isDefinedOutsideOfLoop(value))
        last.factors[value] = -factor;
      else if (value != loop.getInductionVar() || factor != 1)
        return std::nullopt;
    return form.factors.contains(loop.getInductionVar()) ? std::optional(last) : std::nullopt;
  }

  static Value emit(OpBuilder &b, Location loc, const Linear &form) {
    Value sum = arith::ConstantIndexOp::create(b, loc, form.constant);
    for (auto [value, factor] : form.factors) {
      Value term =
          isa<IndexType>(value.getType()) ? value : arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
      if (factor != 1)
        term = arith::MulIOp::create(b, loc, term, arith::ConstantIndexOp::create(b, loc, factor));
      sum = arith::AddIOp::create(b, loc, sum, term);
    }
    return sum;
  }

  void split(scf::ForOp loop) {
    auto step = getConstantIntValue(loop.getStep());
    if (!step || *step <= 1 || getConstantIntValue(loop.getLowerBound()) != 0 || !isWorthIt(loop))
      return;
    SmallVector<Linear> lasts;
    SmallVector<arith::CmpIOp> masks;
    SmallVector<scf::IfOp> edges; // what only steps at the end do
    for (Operation &op : *loop.getBody()) {
      auto branch = dyn_cast<scf::IfOp>(op);
      auto compare = branch && !branch.elseBlock() && !branch->getNumResults()
                         ? branch.getCondition().getDefiningOp<arith::CmpIOp>()
                         : dyn_cast<arith::CmpIOp>(op);
      if (!compare || (!branch && !isa<RankedTensorType>(compare.getType())))
        continue;
      std::optional<Linear> form = decided(compare, !branch);
      std::optional<Linear> last = form ? lastStep(*form, loop) : std::nullopt;
      if (!last)
        continue;
      lasts.push_back(*last);
      if (branch)
        edges.push_back(branch);
      else
        masks.push_back(compare);
    }
    if (masks.empty())
      return;
    OpBuilder b(loop);
    Value middle = endOfWhole(b, loop, lasts);
    b.setInsertionPointAfter(loop);
    IRMapping map;
    auto rest = cast<scf::ForOp>(b.clone(*loop, map));
    loop.getResults().replaceAllUsesWith(rest.getResults());
    rest.setLowerBound(middle);
    rest.getInitArgsMutable().assign(loop.getResults());
    for (scf::IfOp edge : edges)
      edge.erase();
    for (arith::CmpIOp mask : masks)
      takeAsTrue(mask);
    markWhole(loop,
              InsideFact{loop.getInductionVar(), loop.getUpperBound(), *step}); // while it still says where it ends
    loop.setUpperBound(middle);
    eraseUnused(*loop.getBody());
    loop.emitRemark() << "split: the first steps need no mask";
  }

  // Where the first step begins for which not everything is decided, or which is not whole.
  static Value endOfWhole(OpBuilder &b, scf::ForOp loop, ArrayRef<Linear> lasts) {
    Location loc = loop.getLoc();
    Value end = loop.getUpperBound();
    for (const Linear &last : lasts) {
      Linear behind = last;
      behind.constant += *getConstantIntValue(loop.getStep());
      end = arith::MinSIOp::create(b, loc, end, emit(b, loc, behind));
    }
    end = arith::MaxSIOp::create(b, loc, end, loop.getLowerBound());
    return arith::SubIOp::create(b, loc, end, arith::RemUIOp::create(b, loc, end, loop.getStep()));
  }

  static void takeAsTrue(Operation *truth) {
    for (Operation *user : llvm::make_early_inc_range(truth->getUsers()))
      if (auto select = dyn_cast<arith::SelectOp>(user); select && select.getCondition() == truth->getResult(0))
        select.replaceAllUsesWith(select.getTrueValue());
      else if (auto both = dyn_cast<arith::AndIOp>(user))
        both.replaceAllUsesWith(both.getLhs() == truth->getResult(0) ? both.getRhs() : both.getLhs());
      else if (isa<tile::ReshapeOp, tile::BroadcastOp, tile::ConvertOp>(user))
        takeAsTrue(user);
  }

  static void eraseUnused(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }
};

} // namespace
