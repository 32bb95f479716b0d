#include "ops/quantize.h"
#include "ops/codes.h"

namespace tessera::ops {
using namespace dsl;

// One program owns bd columns of one row.
void Quantize::define(Kernel &k, const Config &c) const {
  if (!wholeGroups(k, c.bd, group))
    return;
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  CodeRows out(k, T, D, group);

  auto [t, j] = k.parallel(blocks(T, 1), blocks(D, c.bd));
  out.store(t, j, load(x(t, j)));
}

Cost Quantize::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  return {4 * elements, elements * (4 + 1 + 8.0 / group)};
}

} // namespace tessera::ops
