#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace mlir;

namespace tessera {

int64_t knownDivisor(Value value) {
  if (auto constant = getConstantIntValue(value))
    return std::abs(*constant);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())) {
      auto divisor = function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), tile::divisorAttr);
      return divisor ? divisor.getInt() : 1;
    }
    if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()); loop && value == loop.getInductionVar())
      return std::gcd(knownDivisor(loop.getLowerBound()), knownDivisor(loop.getStep()));
    return 1;
  }
  if (auto program = value.getDefiningOp<tile::ProgramOp>())
    return program.getBlock();
  if (auto product = value.getDefiningOp<arith::MulIOp>())
    return knownDivisor(product.getLhs()) * knownDivisor(product.getRhs());
  if (Operation *op = value.getDefiningOp();
      isa_and_nonnull<arith::AddIOp, arith::SubIOp, arith::RemUIOp, arith::MinUIOp, arith::MaxUIOp>(op))
    return std::gcd(knownDivisor(op->getOperand(0)), knownDivisor(op->getOperand(1)));
  if (auto either = value.getDefiningOp<arith::SelectOp>())
    return std::gcd(knownDivisor(either.getTrueValue()), knownDivisor(either.getFalseValue()));
  if (auto quotient = value.getDefiningOp<arith::DivUIOp>())
    if (auto by = getConstantIntValue(quotient.getRhs()); by && *by > 0)
      if (int64_t all = knownDivisor(quotient.getLhs()); all % *by == 0)
        return all / *by;
  return 1;
}

bool isInside(Value origin, Value bound, int64_t size, ArrayRef<InsideFact> facts) {
  for (const InsideFact &fact : facts)
    if (origin == fact.origin && bound == fact.bound && size <= fact.size)
      return true;
  auto originOp = origin.getDefiningOp(), boundOp = bound.getDefiningOp();
  if (auto a = dyn_cast_or_null<arith::DivUIOp>(originOp))
    if (auto b = dyn_cast_or_null<arith::DivUIOp>(boundOp)) {
      // o + s <= b with o and s multiples of c gives o/c + s/c <= floor(b/c).
      auto by = getConstantIntValue(a.getRhs());
      return by && *by > 0 && by == getConstantIntValue(b.getRhs()) && knownDivisor(a.getLhs()) % *by == 0 &&
             isInside(a.getLhs(), b.getLhs(), size * *by, facts);
    }
  // A range moved from o to r: o + (r - o) has been folded to r, while the bound still says b + (r - o).
  if (auto sum = dyn_cast_or_null<arith::AddIOp>(boundOp))
    for (int i : {0, 1})
      if (auto move = sum->getOperand(i).getDefiningOp<arith::SubIOp>(); move && move.getLhs() == origin)
        return isInside(move.getRhs(), sum->getOperand(1 - i), size, facts);
  if (auto sum = dyn_cast_or_null<arith::AddIOp>(originOp)) // a part of a block
    if (auto ahead = getConstantIntValue(sum.getRhs()); ahead && *ahead >= 0)
      if (isInside(sum.getLhs(), bound, size + *ahead, facts))
        return true;
  if (auto a = dyn_cast_or_null<arith::AddIOp>(originOp))
    if (auto b = dyn_cast_or_null<arith::AddIOp>(boundOp))
      for (int i : {0, 1})
        for (int j : {0, 1})
          if (a->getOperand(i) == b->getOperand(j))
            return isInside(a->getOperand(1 - i), b->getOperand(1 - j), size, facts);
  return false;
}

// Calls visit(kind, operands, axis) for every subscript of an access; operands are those of that subscript.
template <class Op, class Visit> static void visitSubscripts(Op access, Visit visit) {
  OperandRange operands = access.getSubscripts();
  unsigned next = 0;
  for (auto [axis, kind] : llvm::enumerate(access.getKinds())) {
    auto subscript = tile::Subscript(kind);
    unsigned count = subscript == tile::Subscript::all ? 0 : subscript == tile::Subscript::range ? 2 : 1;
    visit(subscript, operands.slice(next, count), axis);
    next += count;
  }
}

template <class Visit> static void visitAccesses(Operation *root, Visit visit) {
  root->walk([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op).Case<tile::LoadOp, tile::StoreOp, tile::AtomicAddOp>(visit);
  });
}

bool anyInside(Operation *root, ArrayRef<InsideFact> facts) {
  bool any = false;
  visitAccesses(root, [&](auto access) {
    visitSubscripts(access, [&](tile::Subscript kind, OperandRange operands, size_t axis) {
      any |= kind == tile::Subscript::range && isInside(operands[0], operands[1], access.getSizes()[axis], facts);
    });
  });
  return any;
}

bool isPackedLoad(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto load = dyn_cast<tile::LoadOp>(op))
      return isa<tile::PackedType>(load.getView().getType().getElementType());
    if (!isa<arith::ExtFOp, arith::SIToFPOp, arith::UIToFPOp>(op))
      break;
    value = op->getOperand(0);
  }
  return false;
}

bool worthDuplicating(Operation *root, bool byWarps) {
  constexpr int64_t most = 1 << 14; // 1024 instructions on 16 lanes; LLVM's register allocator is superlinear beyond
  // A warp's matrix operation does 1024 multiply-adds or more, and a block has several warps.
  int64_t multiplyAdds = 0;
  root->walk([&](Operation *op) {
    if (auto dot = dyn_cast<tile::DotOp>(op)) {
      auto lhs = cast<RankedTensorType>(dot.getLhs().getType());
      int64_t here = cast<RankedTensorType>(dot.getType()).getNumElements() * lhs.getDimSize(1);
      multiplyAdds += byWarps && lhs.getElementTypeBitWidth() <= 16 ? here / 64 : here;
    } else if (auto trans = dyn_cast<tile::TransOp>(op); trans && !isPackedLoad(trans.getValue()))
      // Four rounds of shuffles, each as dear to compile as a few multiply-adds.
      multiplyAdds += 16 * cast<RankedTensorType>(trans.getType()).getNumElements();
  });
  return multiplyAdds <= most;
}

// What a tile is made of before it took its shape.
static Operation *unshaped(Value tile) {
  Operation *op = tile.getDefiningOp();
  while (isa_and_nonnull<tile::ReshapeOp, tile::BroadcastOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return op;
}

// positions < bound, where all of them are known to be.
static bool alwaysBelow(arith::CmpIOp compare, ArrayRef<InsideFact> facts) {
  auto splat = dyn_cast_or_null<tile::SplatOp>(unshaped(compare.getRhs()));
  auto bound = splat ? splat.getValue().getDefiningOp<arith::IndexCastOp>() : nullptr;
  auto positions = dyn_cast_or_null<tile::IotaOp>(unshaped(compare.getLhs()));
  return compare.getPredicate() == arith::CmpIPredicate::slt && bound && positions &&
         isInside(positions.getOrigin(), bound.getIn(), cast<RankedTensorType>(positions.getType()).getDimSize(0),
                  facts);
}

// What the user's own bounds select, such as where(j.row() < C, ...), needs no comparison either. The selects stay,
// unused, for a CSE to take away.
static void dropComparisons(Operation *root, ArrayRef<InsideFact> facts) {
  root->walk([&](arith::SelectOp select) {
    auto compare = dyn_cast_or_null<arith::CmpIOp>(unshaped(select.getCondition()));
    if (compare && alwaysBelow(compare, facts))
      select.replaceAllUsesWith(select.getTrueValue());
  });
}

int markWhole(Operation *root, ArrayRef<InsideFact> facts) {
  dropComparisons(root, facts);
  int remaining = 0;
  visitAccesses(root, [&](auto access) {
    SmallVector<int32_t> kinds(access.getKinds());
    SmallVector<Value> kept;
    visitSubscripts(access, [&](tile::Subscript kind, OperandRange operands, size_t axis) {
      if (kind == tile::Subscript::range) {
        if (isInside(operands[0], operands[1], access.getSizes()[axis], facts)) {
          kinds[axis] = int32_t(tile::Subscript::whole);
          operands = operands.take_front(1);
        } else {
          ++remaining;
        }
      }
      llvm::append_range(kept, operands);
    });
    access.getSubscriptsMutable().assign(kept);
    access.setKinds(kinds);
  });
  return remaining;
}

} // namespace tessera
