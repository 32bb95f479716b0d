#include "compiler/layout/linear_map.h"
#include <algorithm>
#include <bit>
#include <utility>

namespace tessera {

LinearMap::LinearMap(int outBits, std::vector<uint64_t> columns) : bits(outBits), columns(std::move(columns)) {}

LinearMap LinearMap::identity(int bits) {
  std::vector<uint64_t> columns;
  for (int bit = 0; bit < bits; ++bit)
    columns.push_back(uint64_t(1) << bit);
  return {bits, columns};
}

uint64_t LinearMap::operator()(uint64_t x) const {
  uint64_t y = 0;
  for (; x; x &= x - 1)
    y ^= columns[size_t(std::countr_zero(x))];
  return y;
}

LinearMap LinearMap::compose(const LinearMap &inner) const {
  std::vector<uint64_t> images;
  for (uint64_t column : inner.columns)
    images.push_back((*this)(column));
  return {bits, images};
}

namespace {
// Rows of an elimination: an image, and the input that gives it.
struct Pivot {
  uint64_t image, input;
};
} // namespace

// Without the leading bits of the pivots. A pivot's leading bit is in no later one, so once through is enough.
static Pivot reduced(Pivot row, const std::vector<Pivot> &pivots) {
  for (const Pivot &pivot : pivots)
    if (row.image & std::bit_floor(pivot.image))
      row.image ^= pivot.image, row.input ^= pivot.input;
  return row;
}

// Images that are independent of those before them, each reduced by them.
static std::vector<Pivot> pivotsOf(const std::vector<uint64_t> &columns) {
  std::vector<Pivot> pivots;
  for (size_t bit = 0; bit < columns.size(); ++bit)
    if (Pivot next = reduced({columns[bit], uint64_t(1) << bit}, pivots); next.image)
      pivots.push_back(next);
  return pivots;
}

int LinearMap::rank() const { return int(pivotsOf(columns).size()); }

std::optional<LinearMap> LinearMap::inverse() const {
  std::vector<Pivot> pivots = pivotsOf(columns);
  if (int(pivots.size()) < bits)
    return std::nullopt;
  std::vector<uint64_t> inputs;
  for (int bit = 0; bit < bits; ++bit) {
    inputs.push_back(reduced({uint64_t(1) << bit, 0}, pivots).input);
  }
  return LinearMap(inBits(), inputs);
}

} // namespace tessera
