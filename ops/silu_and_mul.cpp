#include "ops/silu_and_mul.h"
#include "ops/activation.h"

namespace tessera::ops {
using namespace dsl;

// y = silu(gate) · up. One program owns bd columns of one row.
void SiluAndMul::define(Kernel &k, const Config &c) const {
  auto [T, d] = k.dims("T", "d");
  Tensor x = k.in("x", f32, {T, 2 * d});
  Tensor y = k.out("y", f32, {T, d});

  auto [t, j] = k.parallel(blocks(T, 1), blocks(d, c.bd));
  Tile gate = load(x(t, j)), up = load(x(t, j + d));
  store(y(t, j), activate(Activation::silu, gate) * up);
}

Cost SiluAndMul::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "d"));
  return {5 * elements, 12 * elements};
}

} // namespace tessera::ops
