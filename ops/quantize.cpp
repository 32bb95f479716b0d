#include "ops/quantize.h"

namespace tessera::ops {
using namespace dsl;

// Rounds |x| < 2^22 half to even: adding 1.5 · 2^23 leaves no bits for a fraction.
static Tile roundHalfEven(Tile x) {
  constexpr double noFraction = 12582912.0;
  return (x + noFraction) - noFraction;
}

// scale = max|x| / 127, code = round(x / scale), sum = Σ code. One program owns bd columns of one row.
void Quantize::define(Kernel &k, const Config &c) const {
  if (!k.require(group > 0 && c.bd % group == 0, "quantize takes whole groups of " + std::to_string(group) +
                                                     " columns, but bd is " + std::to_string(c.bd)))
    return;
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor codes = k.out("codes", i8, {T, D});
  Tensor scale = k.out("scale", f32, {T, D / group});
  Tensor sum = k.out("sum", i32, {T, D / group});

  auto [t, j] = k.parallel(blocks(T, 1), blocks(D, c.bd));
  int64_t groups = c.bd / group;

  Tile value = reshape(load(x(t, j)), {groups, group});
  Tile d = reduceMax(abs(value), 1) / 127.0;
  Tile tiny = d < 0x1p-100; // dividing by a subnormal scale could leave the codes' range
  Tile code = roundHalfEven(value / where(tiny, 1.0, d)).to(i32);

  store(codes(t, j), reshape(code, {1, c.bd}).to(i8));
  store(scale(t, j / group), reshape(where(tiny, 0.0, d), {1, groups}));
  store(sum(t, j / group), reshape(reduceSum(code, 1), {1, groups}));
}

Cost Quantize::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  return {4 * elements, elements * (4 + 1 + 8.0 / group)};
}

} // namespace tessera::ops
