// Reductions, scans and argmax. The order of combination is fixed by the tile's shape and the target's vector width:
// registers along the axis pairwise as a binary tree, then lanes by halving.
#include "compiler/target/cpu/lower.h"

using namespace mlir;

namespace tessera::cpu {

namespace {

// Lanes half..2*half moved onto lanes 0..half; the rest is of no interest. It must be said so: LLVM 22 selects a
// broadcast of the wrong half for <2, 3, 2, 3, 4, ...> where several such sums are stored side by side.
Value upperHalf(OpBuilder &b, Location loc, Value vector, int64_t half) {
  SmallVector<int64_t> mask;
  for (int64_t l = 0, lanes = cast<VectorType>(vector.getType()).getNumElements(); l < lanes; ++l)
    mask.push_back(l < half ? l + half : vector::ShuffleOp::kPoisonIndex);
  return vector::ShuffleOp::create(b, loc, vector, vector, mask);
}

} // namespace

void CpuLowering::lowerReduce(tile::ReduceOp op) {
  Location loc = op.getLoc();
  int axis = op.getAxis();
  Layout from = tile::layoutOf(cast<RankedTensorType>(op.getValue().getType())),
         to = tile::layoutOf(cast<RankedTensorType>(op.getType()));
  const Registers &source = regs(op.getValue());
  bool acrossLanes = axis == from.rank() - 1;
  Registers out;
  for (auto &group : groupsAlong(from, axis, to)) {
    SmallVector<Value> entries;
    for (int64_t r : group)
      entries.push_back(source[r]);
    Value value = combineTree(entries, [&](Value x, Value y) { return combine(b, loc, op.getKind(), x, y); });
    for (int64_t half = acrossLanes ? from.lanes() / 2 : 0; half >= 1; half /= 2)
      value = combine(b, loc, op.getKind(), value, upperHalf(b, loc, value, half));
    if (acrossLanes && from.lanes() > 1)
      value = vector::ExtractOp::create(b, loc, value, int64_t(0));
    out.push_back(value);
  }
  registers[op] = out;
}

void CpuLowering::lowerArgMax(tile::ArgMaxOp op) {
  Location loc = op.getLoc();
  int axis = op.getAxis();
  Layout from = tile::layoutOf(cast<RankedTensorType>(op.getValue().getType())),
         to = tile::layoutOf(cast<RankedTensorType>(op.getType()));
  const Registers &source = regs(op.getValue());
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(op.getValue().getType()));
  bool acrossLanes = axis == from.rank() - 1;
  using Pair = std::pair<Value, Value>; // value, position along the axis
  auto better = [&](Pair x, Pair y) -> Pair {
    auto compare = [&](arith::CmpFPredicate f, arith::CmpIPredicate i) -> Value {
      return isFloat ? arith::CmpFOp::create(b, loc, f, x.first, y.first).getResult()
                     : arith::CmpIOp::create(b, loc, i, x.first, y.first).getResult();
    };
    Value greater = compare(arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt);
    Value equal = compare(arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq);
    Value lower = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x.second, y.second);
    Value first = arith::OrIOp::create(b, loc, greater, arith::AndIOp::create(b, loc, equal, lower));
    return {arith::SelectOp::create(b, loc, first, x.first, y.first),
            arith::SelectOp::create(b, loc, first, x.second, y.second)};
  };
  Registers out;
  for (auto &group : groupsAlong(from, axis, to)) {
    SmallVector<Pair> entries;
    for (int64_t r : group) {
      SmallVector<int32_t> positions;
      for (int64_t l = 0; l < from.lanes(); ++l)
        positions.push_back(from.at(r, l)[axis]);
      TypedAttr attr = b.getI32IntegerAttr(positions[0]);
      if (from.lanes() > 1)
        attr = DenseElementsAttr::get(VectorType::get({from.lanes()}, b.getI32Type()), ArrayRef(positions));
      entries.push_back({source[r], arith::ConstantOp::create(b, loc, attr)});
    }
    Pair best = combineTree(entries, better);
    for (int64_t half = acrossLanes ? from.lanes() / 2 : 0; half >= 1; half /= 2)
      best = better(best, {upperHalf(b, loc, best.first, half), upperHalf(b, loc, best.second, half)});
    if (acrossLanes && from.lanes() > 1)
      best.second = vector::ExtractOp::create(b, loc, best.second, int64_t(0));
    out.push_back(best.second);
  }
  registers[op] = out;
}

// Inclusive running sum. Across lanes: log2(lanes) shifted additions in each register, then the total so far.
void CpuLowering::lowerScan(tile::ScanOp op) {
  Location loc = op.getLoc();
  int axis = op.getAxis();
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = tile::layoutOf(type);
  Registers out = regs(op.getValue());
  bool acrossLanes = axis == layout.rank() - 1 && layout.lanes() > 1;
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = 1;
  Layout reduced = rowLayout({shape.data(), shape.size()}, acrossLanes ? 1 : layout.lanes());
  auto sum = [&](Value x, Value y) { return combine(b, loc, tile::ReduceKind::sum, x, y); };
  for (auto &group : groupsAlong(layout, axis, reduced)) {
    Value total;
    for (int64_t r : group) {
      Value &value = out[r];
      for (int64_t step = 1; acrossLanes && step < layout.lanes(); step *= 2) {
        SmallVector<int64_t> mask; // lane l - step, or a zero from the second operand
        for (int64_t l = 0; l < layout.lanes(); ++l)
          mask.push_back(l >= step ? l - step : layout.lanes());
        Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(value.getType())));
        value = sum(value, vector::ShuffleOp::create(b, loc, value, zero, mask));
      }
      if (total)
        value = sum(value, acrossLanes ? splat(total, value.getType()) : total);
      total = acrossLanes ? vector::ExtractOp::create(b, loc, value, layout.lanes() - 1).getResult() : value;
    }
  }
  registers[op] = out;
}

} // namespace tessera::cpu
