#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/shape.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace tessera::gpu {

// Wavefronts of a warp that moves a tile between registers and shared memory in accesses of up to 16 bytes: lanes that
// hold the same elements move them once.
static int64_t wavefronts(const Layout &layout, int64_t bytes) {
  int64_t vector = std::min(contiguous(layout), Swizzle::chunkBytes / bytes), lanes = 1;
  for (const Coordinate &basis : layout.lane)
    lanes *= llvm::any_of(basis, [](int64_t x) { return x != 0; }) ? 2 : 1;
  return layout.registers() / vector * std::max<int64_t>(lanes * vector * bytes / Swizzle::waveBytes, 1);
}

int64_t elementsAShuffle(Type type) {
  return getElementTypeOrSelf(type).isInteger(1) ? 1 : 4 / elementBytes(type); // a predicate has no bits of a word
}

Way cheapestWay(Operation *move) {
  auto from = cast<RankedTensorType>(move->getOperand(0).getType()),
       to = cast<RankedTensorType>(move->getResult(0).getType());
  ArrayRef<int64_t> before = from.getShape(), after = to.getShape();
  auto map = [&](const Coordinate &at) {
    return before == after ? at
                           : elementAt(elementNumber(at, {after.data(), after.size()}), {before.data(), before.size()});
  };
  Layout have = tile::layoutOf(from), want = tile::layoutOf(to);
  if (registersWithin(have, want, map))
    return Way::registers;
  // A shuffle is a wavefront of the same unit as a shared access. Without one there is no barrier to wait for, which
  // takes as long as about twenty wavefronts of the block.
  constexpr int64_t barrier = 20;
  int64_t bytes = elementBytes(from), shared = wavefronts(have, bytes) + wavefronts(want, bytes) + barrier;
  if (bytes > 4 || want.registers() / elementsAShuffle(from) > shared)
    return Way::shared;
  // In a loop registers are dear, and what waits in shared memory takes none: attention in f32, 64 queries, takes 168
  // so and spills nothing, but 336 bytes at 255 with shuffles, for the same modelled time.
  if (move->getParentOfType<scf::ForOp>())
    return Way::shared;
  auto plan = shufflesBetween(have, want, map, elementsAShuffle(from));
  return plan && plan->shuffles() + plan->selections() <= shared ? Way::shuffles : Way::shared;
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
  int64_t number = elementNumber(at, {shape.data(), shape.size()});
  if (held.size() == 3 && held != shape) {
    int64_t row = number / shape.back(), column = number % shape.back();
    return {column / columns * held[1] + row, column % columns};
  }
  return {number / columns, number % columns};
}

Swizzle swizzleOf(tile::SharedType buffer) {
  ArrayRef<int64_t> shape = buffer.getShape(), chosen = buffer.getSwizzle();
  return {{shape.data(), shape.size()}, elementBytes(buffer.getElementType()), {chosen.data(), chosen.size()}};
}

int64_t slotBytes(tile::SharedType buffer) { return (swizzleOf(buffer).bytes() + 127) / 128 * 128; }
int64_t bufferBytes(tile::SharedType buffer) { return buffer.getSlots() * slotBytes(buffer); }

int64_t sharedVector(const Layout &layout, tile::SharedType buffer) {
  int64_t bytes = elementBytes(buffer.getElementType());
  int64_t columns = buffer.getShape().empty() ? 1 : buffer.getShape().back();
  int64_t vector = std::min(contiguous(layout), Swizzle::chunkBytes / bytes);
  while (vector > 1 && (columns % vector || swizzleOf(buffer).pitch() % (vector * bytes)))
    vector /= 2;
  return vector;
}

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
