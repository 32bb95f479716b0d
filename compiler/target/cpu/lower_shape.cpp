// Moves of elements between layouts: broadcast, reshape, transpose, convert. All are one gather of registers and lanes;
// the cheapest instruction sequence is found from the map itself.
#include "compiler/target/cpu/lower.h"
#include <bit>
#include <map>

using namespace mlir;

namespace tessera::cpu {

namespace {

// Transposes a square of registers in log2(size) rounds of two-input shuffles, so that afterwards lane l of register r
// is what lane r of register l was. A round pairs registers whose numbers differ in `bit` and takes from each its lanes
// with a 0 (then with a 1) in one bit of the lane number. Rounds are in the shapes that x86 has instructions for: lane
// bits 0 and 1 turn about inside 128 bits (unpack), bits 2 and 3 turn about among the 128-bit parts (shuf32x4).
Registers transposeSquare(OpBuilder &b, Location loc, Registers square) {
  int64_t size = square.size();
  auto round = [&](int64_t bit, llvm::function_ref<int64_t(int64_t l, bool high)> from) {
    SmallVector<int64_t> low, high; // lanes of the pair (r, r + bit), numbered 0..2 size
    for (int64_t l = 0; l < size; ++l) {
      low.push_back(from(l, false));
      high.push_back(from(l, true));
    }
    for (int64_t r = 0; r < size; ++r) {
      if (r & bit)
        continue;
      Value x = square[r], y = square[r + bit];
      square[r] = vector::ShuffleOp::create(b, loc, x, y, low);
      square[r + bit] = vector::ShuffleOp::create(b, loc, x, y, high);
    }
  };
  // Lane bit 0 says which register, bit 1 is what bit 0 was, and bit 1 was `high`; the rest stays.
  auto unpack = [&](int64_t l, bool high) { return (l & 1) * size + (l & ~3) + 2 * high + (l >> 1 & 1); };
  // The same for bits 3 and 2 of sixteen lanes, turned the other way; of eight lanes bit 2 alone is exchanged.
  auto parts = [&](int64_t l, bool high) {
    return size == 16 ? (l >> 3 & 1) * size + (l & 3) + 4 * high + 8 * (l >> 2 & 1)
                      : (l >> 2 & 1) * size + (l & 3) + 4 * high;
  };
  for (int64_t bit : {2, 1})
    round(bit, unpack);
  for (int64_t bit = 4; bit < size; bit *= 2)
    round(bit, parts);
  return square;
}

} // namespace

Registers CpuLowering::gather(const Registers &source, const Layout &sourceLayout, const Layout &resultLayout,
                              llvm::function_ref<int64_t(int64_t, int64_t)> from) {
  int64_t sourceLanes = sourceLayout.lanes(), lanes = resultLayout.lanes(), count = resultLayout.registers();
  Location loc = source.front().getLoc();
  Type element = getElementTypeOrSelf(source.front().getType());
  Type type = lanes == 1 ? element : VectorType::get({lanes}, element);
  Registers out(count);

  // Results whose lane l comes from lane q of register T[l], for one T and every q, are a transposed square.
  std::map<std::vector<int64_t>, SmallVector<std::pair<int64_t, int64_t>>> squares; // T -> (q, result register)
  bool fits = sourceLanes == lanes && lanes > 2 && lanes <= 16;
  for (int64_t r = 0; r < count && fits; ++r) {
    std::vector<int64_t> rows;
    int64_t q = from(r, 0) % sourceLanes;
    for (int64_t l = 0; l < lanes && from(r, l) % sourceLanes == q; ++l)
      rows.push_back(from(r, l) / sourceLanes);
    bool distinct = int64_t(rows.size()) == lanes && rows[0] != rows[1];
    if (distinct)
      squares[rows].push_back({q, r});
  }
  for (auto &[rows, results] : squares) {
    if (int64_t(results.size()) * 2 < lanes)
      continue;
    Registers square;
    for (int64_t row : rows)
      square.push_back(source[row]);
    square = transposeSquare(b, loc, square);
    for (auto [q, r] : results)
      out[r] = square[q];
  }

  auto extract = [&](int64_t place) -> Value {
    Value reg = source[place / sourceLanes];
    return sourceLanes == 1 ? reg : vector::ExtractOp::create(b, loc, reg, place % sourceLanes).getResult();
  };
  for (int64_t r = 0; r < count; ++r) {
    if (out[r])
      continue;
    SmallVector<int64_t> places;
    for (int64_t l = 0; l < lanes; ++l)
      places.push_back(from(r, l));
    if (llvm::all_equal(places)) {
      out[r] = splat(extract(places[0]), type);
      continue;
    }
    // Take what source registers have to give, two at a time.
    SmallVector<int64_t> needed;
    for (int64_t place : places)
      if (!llvm::is_contained(needed, place / sourceLanes))
        needed.push_back(place / sourceLanes);
    if (sourceLanes == 1) {
      SmallVector<Value> elements;
      for (int64_t place : places)
        elements.push_back(source[place]);
      out[r] = vector::FromElementsOp::create(b, loc, cast<VectorType>(type), elements);
      continue;
    }
    bool identity = needed.size() == 1 && sourceLanes == lanes;
    for (int64_t l = 0; l < lanes && identity; ++l)
      identity = places[l] % sourceLanes == l;
    if (identity) {
      out[r] = source[needed[0]];
      continue;
    }
    Value so;
    for (size_t i = 0; i < needed.size(); i += 2) {
      int64_t first = needed[i], second = needed[std::min(i + 1, needed.size() - 1)];
      bool alone = first == second;
      if (so && alone && sourceLanes == lanes) { // takes its place among the others at once
        SmallVector<int64_t> mask;
        for (int64_t l = 0; l < lanes; ++l)
          mask.push_back(places[l] / sourceLanes == first ? lanes + places[l] % sourceLanes : l);
        so = vector::ShuffleOp::create(b, loc, so, source[first], mask);
        continue;
      }
      SmallVector<int64_t> pair, merge;
      for (int64_t l = 0; l < lanes; ++l) {
        int64_t reg = places[l] / sourceLanes, lane = places[l] % sourceLanes;
        bool here = reg == first || reg == second;
        pair.push_back(reg == first ? lane : reg == second ? sourceLanes + lane : 0);
        merge.push_back(here ? lanes + l : l);
      }
      Value part = vector::ShuffleOp::create(b, loc, source[first], source[second], pair);
      so = so ? vector::ShuffleOp::create(b, loc, so, part, merge).getResult() : part;
    }
    out[r] = so;
  }
  return out;
}

// result element at a coordinate = source element at map(coordinate).
void CpuLowering::lowerMove(Value source, Value result, llvm::function_ref<Coordinate(Coordinate)> map) {
  Layout from = tile::layoutOf(cast<RankedTensorType>(source.getType()));
  Layout to = tile::layoutOf(cast<RankedTensorType>(result.getType()));
  std::vector<int64_t> inverse = from.inverse();
  Coordinate shape = from.shape();
  registers[result] = gather(regs(source), from, to,
                             [&](int64_t r, int64_t l) { return inverse[elementNumber(map(to.at(r, l)), shape)]; });
}

} // namespace tessera::cpu
