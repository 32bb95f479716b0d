#include "compiler/tile/positions.h"
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::tile {

void Linear::add(const Linear &other, int64_t times) {
  for (auto [value, factor] : other.factors)
    factors[value] += factor * times;
  factors.remove_if([](const auto &term) { return term.second == 0; });
  constant += other.constant * times;
}

Linear linearOf(Value scalar) {
  Linear form;
  if (auto constant = getConstantIntValue(scalar)) {
    form.constant = *constant;
    return form;
  }
  Operation *op = scalar.getDefiningOp();
  if (isa_and_nonnull<arith::IndexCastOp>(op))
    return linearOf(op->getOperand(0));
  if (isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op)) {
    form = linearOf(op->getOperand(0));
    form.add(linearOf(op->getOperand(1)), isa<arith::AddIOp>(op) ? 1 : -1);
    return form;
  }
  form.factors[scalar] = 1;
  return form;
}

int64_t Positions::least() const {
  int64_t sum = 0;
  for (ArrayRef<int64_t> axis : axes)
    sum += *llvm::min_element(axis);
  return sum;
}
int64_t Positions::greatest() const {
  int64_t sum = 0;
  for (ArrayRef<int64_t> axis : axes)
    sum += *llvm::max_element(axis);
  return sum;
}

static Positions zerosOf(Value tile) {
  Positions result;
  for (int64_t extent : cast<RankedTensorType>(tile.getType()).getShape())
    result.axes.emplace_back(extent, 0);
  return result;
}

// Axes of extent 1 come and go; the others stay in their order.
static std::optional<Positions> reshaped(Positions of, Value tile) {
  Positions result = zerosOf(tile);
  result.scalars = of.scalars;
  auto next = result.axes.begin();
  for (ArrayRef<int64_t> axis : of.axes) {
    if (axis.size() == 1) {
      result.scalars.constant += axis[0];
      continue;
    }
    while (next != result.axes.end() && next->size() == 1)
      ++next;
    if (next == result.axes.end() || next->size() != axis.size())
      return std::nullopt;
    *next++ = SmallVector<int64_t>(axis);
  }
  return result;
}

static Positions stretched(Positions of, Value tile) {
  Positions result = zerosOf(tile);
  result.scalars = of.scalars;
  size_t added = result.axes.size() - of.axes.size();
  for (auto [d, axis] : llvm::enumerate(of.axes))
    if (axis.size() == result.axes[added + d].size())
      result.axes[added + d] = axis;
    else
      result.axes[added + d].assign(result.axes[added + d].size(), axis[0]);
  return result;
}

// Of one axis alone, from 0 on: rounding differs below, and between several.
static std::optional<Positions> divided(Positions of, const Positions &by) {
  int64_t divisor = by.scalars.constant + by.least();
  bool constant = by.scalars.factors.empty() && by.least() == by.greatest();
  SmallVector<int64_t> *walked = nullptr;
  int64_t rest = of.scalars.constant;
  for (SmallVector<int64_t> &axis : of.axes) {
    bool flat = llvm::all_equal(axis);
    if (!flat && walked)
      return std::nullopt;
    if (!flat)
      walked = &axis;
    else
      rest += axis[0], axis.assign(axis.size(), 0);
  }
  if (!constant || divisor <= 0 || !of.scalars.factors.empty() || of.least() + rest < 0)
    return std::nullopt;
  of.scalars.constant = walked ? 0 : rest / divisor;
  if (walked)
    for (int64_t &value : *walked)
      value = (value + rest) / divisor;
  return of;
}

std::optional<Positions> positionsOf(Value tile) {
  Operation *op = tile.getDefiningOp();
  if (!op || !isa<RankedTensorType>(tile.getType()))
    return std::nullopt;
  if (auto splat = dyn_cast<SplatOp>(op)) {
    Positions result = zerosOf(tile);
    result.scalars.factors[splat.getValue()] = 1;
    return isa<IntegerType>(splat.getValue().getType()) ? std::optional(result) : std::nullopt;
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    Positions result = zerosOf(tile);
    std::iota(result.axes[0].begin(), result.axes[0].end(), 0);
    if (auto origin = getConstantIntValue(iota.getOrigin()))
      result.scalars.constant = *origin;
    else
      result.scalars.factors[iota.getOrigin()] = 1;
    return result;
  }
  DenseIntElementsAttr values;
  if (matchPattern(tile, m_Constant(&values)) && values.isSplat()) {
    Positions result = zerosOf(tile);
    result.scalars.constant = values.getSplatValue<APInt>().getSExtValue();
    return result;
  }
  if (!isa<ReshapeOp, BroadcastOp, ConvertOp, arith::AddIOp, arith::SubIOp, arith::DivSIOp>(op))
    return std::nullopt;
  std::optional<Positions> first = positionsOf(op->getOperand(0));
  if (!first || isa<ConvertOp>(op))
    return first;
  if (isa<ReshapeOp>(op))
    return reshaped(*first, tile);
  if (isa<BroadcastOp>(op))
    return stretched(*first, tile);
  std::optional<Positions> second = positionsOf(op->getOperand(1));
  if (!second || isa<arith::DivSIOp>(op))
    return second ? divided(*first, *second) : std::nullopt;
  int64_t sign = isa<arith::AddIOp>(op) ? 1 : -1;
  first->scalars.add(second->scalars, sign);
  for (auto [into, from] : llvm::zip(first->axes, second->axes))
    for (auto [x, y] : llvm::zip(into, from))
      x += sign * y;
  return first;
}

} // namespace tessera::tile
