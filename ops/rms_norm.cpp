#include "ops/rms_norm.h"

namespace tessera::ops {
using namespace dsl;

// y = v · rsqrt(mean(v²) + eps) · w, where v = x, or r + x which becomes r. One program owns one row.
void RmsNorm::define(Kernel &k, const Config &c) const {
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor r = residual ? k.inOut("r", f32, {T, D}) : x;
  Tensor w = k.in("w", f32, {D});
  Tensor y = k.out("y", f32, {T, D});
  Tile eps = k.scalar("eps", f32);

  Range t = k.parallel(blocks(T, 1));

  Tile squares = loop(blocks(D, c.bd), zeros({1, c.bd}), [&](Range j, Tile squares) {
    Tile v = load(x(t, j));
    if (residual) {
      v = v + load(r(t, j));
      store(r(t, j), v);
    }
    return squares + v * v;
  });
  Tile scale = rsqrt(reduceSum(squares, 1) / D + eps);

  loop(blocks(D, c.bd), [&](Range j) {
    Tile weight = onePlus ? load(w(j)) + 1.0 : load(w(j));
    store(y(t, j), load(r(t, j)) * scale * weight);
  });
}

Cost RmsNorm::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  return {4 * elements, elements * 4 * (residual ? 4 : 2) + double(at(s, "D")) * 4};
}

} // namespace tessera::ops
