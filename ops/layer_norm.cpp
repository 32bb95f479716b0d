#include "ops/layer_norm.h"

namespace tessera::ops {
using namespace dsl;

// One program owns bt rows and reads them three times: for the mean, for the variance around it, for the result. Means
// of squares minus squared means would save a read and cancel. Several rows read the weight and the bias once, and wait
// for their sums across lanes together.
void LayerNorm::define(Kernel &k, const Config &c) const {
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor r = residual ? k.inOut("r", f32, {T, D}) : x;
  Tensor w = k.in("w", f32, {D});
  Tensor b = bias ? k.in("b", f32, {D}) : w;
  Tensor y = k.out("y", f32, {T, D});
  Tile eps = k.scalar("eps", f32);

  Range t = k.parallel(blocks(T, c.bt));

  Tile sums = loop(blocks(D, c.bd), zeros({c.bt, c.bd}), [&](Range j, Tile sums) {
    Tile v = load(x(t, j));
    if (residual) {
      v = v + load(r(t, j));
      store(r(t, j), v);
    }
    return sums + v;
  });
  Tile mean = reduceSum(sums, 1) / D;

  Tile squares = loop(blocks(D, c.bd), zeros({c.bt, c.bd}), [&](Range j, Tile squares) {
    Tile v = where(j.row() < D, load(r(t, j)) - mean, 0.0);
    return squares + v * v;
  });
  Tile scale = rsqrt(reduceSum(squares, 1) / D + eps);

  loop(blocks(D, c.bd), [&](Range j) {
    Tile v = (load(r(t, j)) - mean) * scale * load(w(j));
    store(y(t, j), bias ? v + load(b(j)) : v);
  });
}

Cost LayerNorm::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  return {7 * elements, elements * 4 * (residual ? 4 : 2) + double(at(s, "D")) * (bias ? 8 : 4)};
}

} // namespace tessera::ops
