#include "ops/silu_and_mul.h"
#include "ops/constants.h"

namespace tessera::ops {
using namespace dsl;

// y = gate / (1 + 2^(-gate · log2 e)) · up. One program owns bd columns of one row.
void SiluAndMul::define(Kernel &k, const Config &c) const {
  auto [T, d] = k.dims("T", "d");
  Tensor x = k.in("x", f32, {T, 2 * d});
  Tensor y = k.out("y", f32, {T, d});

  auto [t, j] = k.parallel(blocks(T, 1), blocks(d, c.bd));
  Tile gate = load(x(t, j)), up = load(x(t, j + d));
  store(y(t, j), gate / (exp2(gate * -log2e) + 1.0) * up);
}

Cost SiluAndMul::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "d"));
  return {5 * elements, 12 * elements};
}

} // namespace tessera::ops
