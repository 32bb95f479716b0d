#include "ops/embedding.h"

namespace tessera::ops {
using namespace dsl;

// w = (code - bias) · scale + min for one block row of a packed matrix: [bd].
static Tile dequantize(View row, const PackedFormat &format, int64_t bd) {
  int64_t groups = bd / format.group;
  auto scale = [&](View one, View super) { // [groups, 1]
    Tile tile = reshape(load(one).to(f32), {groups, 1});
    return format.twoLevels() ? tile * reshape(load(super).to(f32), {1, 1}) : tile;
  };
  Tile code = reshape(load(codes(row)).to(i32), {groups, format.group});
  if (format.bias)
    code = code - format.bias;
  Tile value = code.to(f32) * scale(scales(row), superScales(row));
  if (format.hasMin)
    value = value + scale(mins(row), superMins(row));
  return reshape(value, {bd});
}

// y[t] = table[tokens[t]]. One program owns bd columns of one token.
void Embedding::define(Kernel &k, const Config &c) const {
  if (!k.require(c.bd % 32 == 0, "embedding takes whole groups of 32 columns, but bd is " + std::to_string(c.bd)))
    return;
  if (!k.require(!isQuantized(table) || !info(table).packed->twoLevels() || info(table).packed->block % c.bd == 0,
                 "embedding takes a block of " + std::string(tessera::name(table)) + " in equal parts, but bd is " +
                     std::to_string(c.bd)))
    return;
  auto [T, V, D] = k.dims("T", "V", "D");
  Tensor W = k.in("table", table, {V, D});
  Tensor tokens = k.in("tokens", i32, {T});
  Tensor y = k.out("y", f32, {T, D});

  auto [t, j] = k.parallel(each(T), blocks(D, c.bd));
  Tile token = load(tokens(t));
  if (isQuantized(table))
    store(y(t, j), dequantize(W(token, j), *info(table).packed, c.bd));
  else
    store(y(t, j), load(W(token, j)).to(f32));
}

Cost Embedding::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  const auto &packed = info(table).packed;
  double row = packed ? double(panelBlockBytes(*packed)) / (packed->block * panelRows) : info(table).bits / 8.0;
  return {elements, elements * (row + 4)};
}

} // namespace tessera::ops
