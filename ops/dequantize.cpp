#include "ops/dequantize.h"

namespace tessera::ops {
using namespace dsl;

bool takesColumns(Kernel &k, std::string_view op, DType weight, int bd) {
  std::string what(op);
  if (!k.require(bd % 32 == 0, what + " takes whole groups of 32 columns, but bd is " + std::to_string(bd)))
    return false;
  return !isQuantized(weight) || !info(weight).packed->twoLevels() ||
         k.require(info(weight).packed->block % bd == 0, what + " takes a block of " + std::string(name(weight)) +
                                                             " in equal parts, but bd is " + std::to_string(bd));
}

// w = (code - bias) · scale + min, group by group.
Tile dequantized(const View &row, DType weight, int bd) {
  const PackedFormat &format = *info(weight).packed;
  int64_t groups = bd / format.group;
  auto scale = [&](const View &one, const View &super) { // [groups, 1]
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

// One program owns bd columns of one row.
void Dequantize::define(Kernel &k, const Config &c) const {
  if (!takesColumns(k, name, weight, c.bd))
    return;
  auto [N, K] = k.dims("N", "K");
  Tensor W = k.in("W", weight, {N, K});
  Tensor y = k.out("y", f32, {N, K});

  auto [n, j] = k.parallel(each(N), blocks(K, c.bd));
  store(y(n, j), dequantized(W(n, j), weight, c.bd));
}

Cost Dequantize::cost(const Sizes &s) const {
  double elements = double(at(s, "N")) * double(at(s, "K"));
  return {2 * elements, double(panelBytes(weight, at(s, "N"), at(s, "K"))) + 4 * elements};
}

} // namespace tessera::ops
