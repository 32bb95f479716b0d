// Comparisons of positions, as masks are made of. What a thread's registers add to both sides is known here, so one
// register, the difference of what the thread adds, is compared with constants: none holds a row's or column's
// position.
#include "compiler/target/gpu/lower.h"
#include "compiler/tile/positions.h"

using namespace mlir;

namespace tessera::gpu {

// The sum of what the axes add at a coordinate.
static int64_t sumAt(const tile::Positions &positions, const Coordinate &at) {
  int64_t sum = 0;
  for (auto [axis, i] : llvm::zip(positions.axes, at))
    sum += axis[i];
  return sum;
}

// Whether along each axis a register's share and a thread's add up: a quotient may round in between.
static bool addsUp(const tile::Positions &positions, const Layout &layout) {
  for (auto [d, axis] : llvm::enumerate(positions.axes)) {
    llvm::SmallDenseSet<int64_t> mine, others{0};
    for (int64_t r = 0; r < layout.registers(); ++r)
      mine.insert(layout.at(r, 0)[d]);
    for (const auto *bases : {&layout.lane, &layout.warp})
      for (const Coordinate &basis : *bases)
        if (basis[d])
          for (int64_t other : SmallVector<int64_t>(others.begin(), others.end()))
            others.insert(other ^ basis[d]);
    for (int64_t x : mine)
      for (int64_t y : others)
        if ((x & y) || axis[x + y] - axis[0] != axis[x] - axis[0] + axis[y] - axis[0])
          return false;
  }
  return true;
}

// x < y as x - y < 0: positions are far from where a difference would wrap.
bool GpuLowering::lowerComparison(arith::CmpIOp op) {
  using P = arith::CmpIPredicate;
  auto type = dyn_cast<RankedTensorType>(op.getType());
  P predicate = op.getPredicate();
  if (!type || (predicate != P::slt && predicate != P::sle && predicate != P::sgt && predicate != P::sge))
    return false;
  std::optional<tile::Positions> left = tile::positionsOf(op.getLhs()), right = tile::positionsOf(op.getRhs());
  if (!left || !right || !getElementTypeOrSelf(op.getLhs()).isInteger(32))
    return false;
  left->scalars.add(right->scalars, -1);
  for (auto [into, from] : llvm::zip(left->axes, right->axes))
    for (auto [x, y] : llvm::zip(into, from))
      x -= y;
  Layout layout = tile::layoutOf(type);
  if (!addsUp(*left, layout) ||
      llvm::any_of(left->scalars.factors, [](auto term) { return std::abs(term.second) != 1; }))
    return false;
  Location loc = op.getLoc();
  Coordinate zero(layout.rank(), 0);
  int64_t base = sumAt(*left, zero);
  Value difference = walk(stepsOf(layout, [&](const Coordinate &basis) { return sumAt(*left, basis) - base; }));
  // What a loop changes comes last, so that the rest is done before it.
  auto loop = op->getParentOfType<scf::ForOp>();
  for (bool changes : {false, true})
    for (auto [value, factor] : left->scalars.factors) {
      if ((loop && !loop.isDefinedOutsideOfLoop(value)) != changes)
        continue;
      Value term = scalar(value);
      if (!term.getType().isInteger(32))
        term = arith::TruncIOp::create(b, loc, b.getI32Type(), term);
      difference = factor > 0 ? arith::AddIOp::create(b, loc, difference, term).getResult()
                              : arith::SubIOp::create(b, loc, difference, term).getResult();
    }
  Registers out;
  for (int64_t r = 0; r < layout.registers(); ++r)
    out.push_back(arith::CmpIOp::create(b, loc, predicate, difference,
                                        constantI32(-left->scalars.constant - sumAt(*left, layout.at(r, 0)))));
  registers[op] = out;
  return true;
}

} // namespace tessera::gpu
