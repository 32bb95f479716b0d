#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/shape.h"

using namespace mlir;

namespace tessera::gpu {

bool staysInThread(Operation *move) {
  auto from = cast<RankedTensorType>(move->getOperand(0).getType()),
       to = cast<RankedTensorType>(move->getResult(0).getType());
  ArrayRef<int64_t> before = from.getShape(), after = to.getShape();
  return registersWithin(tile::layoutOf(from), tile::layoutOf(to),
                         [&](const Coordinate &at) {
                           return before == after ? at
                                                  : elementAt(elementNumber(at, {after.data(), after.size()}),
                                                              {before.data(), before.size()});
                         })
      .has_value();
}

int64_t warpsAlong(Value value, int axis) {
  int64_t warps = 1;
  for (const Coordinate &basis : tile::layoutOf(cast<RankedTensorType>(value.getType())).warp)
    warps *= basis[axis] ? 2 : 1;
  return warps;
}

std::pair<int64_t, int64_t> placeIn(tile::SharedType buffer, ArrayRef<int64_t> shape, const Coordinate &at) {
  ArrayRef<int64_t> held = buffer.getShape();
  int64_t columns = held.empty() ? 1 : held.back();
  if (held.size() == 3 && shape.size() == 2)
    return {at[1] / columns * held[1] + at[0], at[1] % columns};
  int64_t number = elementNumber(at, {shape.data(), shape.size()});
  return {number / columns, number % columns};
}

Swizzle swizzleOf(tile::SharedType buffer) {
  ArrayRef<int64_t> shape = buffer.getShape();
  return {{shape.data(), shape.size()}, elementBytes(buffer.getElementType())};
}

int64_t slotBytes(tile::SharedType buffer) { return (swizzleOf(buffer).bytes() + 127) / 128 * 128; }
int64_t bufferBytes(tile::SharedType buffer) { return buffer.getSlots() * slotBytes(buffer); }

int conflictsOf(const Layout &layout, tile::SharedType buffer, ArrayRef<int64_t> shape, int64_t vector,
                const Coordinate &from) {
  Swizzle swizzle = swizzleOf(buffer);
  int worst = 1;
  for (int64_t r = 0; r < std::min<int64_t>(layout.registers(), 4 * vector); r += vector)
    worst = std::max(worst, bankConflicts(vector * elementBytes(buffer.getElementType()), [&](int lane) {
                       Coordinate at = layout.at(r, lane);
                       for (size_t d = 0; d < at.size(); ++d)
                         at[d] += from[d];
                       auto [row, column] = placeIn(buffer, shape, at);
                       return swizzle.offset(row, column);
                     }));
  return worst;
}

} // namespace tessera::gpu
