#include "ops/quantize_blocks.h"

namespace tessera::ops {
using namespace dsl;

// 1 / d, or 0 where d is.
static Tile inverse(Tile d) { return where(d == 0.0, 0.0, Tile(1.0 / where(d == 0.0, 1.0, d))); }

// The value of largest magnitude of each group, the first of several: [groups, 1].
static Tile extreme(Tile value, Tile position) {
  Tile first = argMax(abs(value), 1);
  return reduceSum(where(position == first, value, 0.0), 1);
}

// |y| rounded with halves up, and y's sign.
static Tile roundAway(Tile y) {
  Tile whole = floor(abs(y));
  Tile rounded = where(abs(y) - whole >= 0.5, whole + 1.0, whole);
  return where(y < 0.0, -rounded, rounded);
}

// One program owns bd columns of one row.
void QuantizeBlocks::define(Kernel &k, const Config &c) const {
  if (!k.require(c.bd % 32 == 0, "quantize_blocks takes whole groups of 32 columns, but bd is " + std::to_string(c.bd)))
    return;
  const PackedFormat &row = *info(format).packed;
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor codes = k.out("codes", u8, {T, D});
  Tensor scale = k.out("scale", f16, {T, D / 32});
  Tensor min = row.hasMin ? k.out("min", f16, {T, D / 32}) : scale;

  auto [t, j] = k.parallel(blocks(T, 1), blocks(D, c.bd));
  int64_t groups = c.bd / 32, top = (1 << row.bits) - 1;
  Tile value = reshape(load(x(t, j)), {groups, 32});
  Tile d, code;
  if (row.hasMin) {
    Tile least = -reduceMax(-value, 1);
    d = (reduceMax(value, 1) - least) / double(top);
    code = ((value - least) * inverse(d) + 0.5).to(i32);
    store(min(t, j / 32), reshape(least, {1, groups}).to(f16));
  } else if (row.bits == 8) {
    d = reduceMax(abs(value), 1) / 127.0;
    code = roundAway(value * inverse(d)).to(i32) + row.bias;
  } else {
    d = extreme(value, reshape(j.pos() % 32, {groups, 32})) / double(-row.bias);
    code = (value * inverse(d) + (row.bias + 0.5)).to(i32);
  }
  store(codes(t, j), reshape(dsl::min(code, top).to(u8), {1, c.bd}));
  store(scale(t, j / 32), reshape(d, {1, groups}).to(f16));
}

Cost QuantizeBlocks::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  return {4 * elements, elements * (4 + 1 + 2 / 32.0)};
}

} // namespace tessera::ops
