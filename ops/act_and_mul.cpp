#include "ops/act_and_mul.h"
#include "ops/codes.h"
#include <algorithm>

namespace tessera::ops {
using namespace dsl;

ActAndMul::Config ActAndMul::defaultConfig(const Target &target, int group) {
  int bd = stepAlongRows(target, 8);
  return {.bd = group ? group * std::max(1, bd / group) : bd};
}

// One program owns bd columns of one row.
void ActAndMul::define(Kernel &k, const Config &c, Activation kind, int group) {
  if (group && !wholeGroups(k, c.bd, group))
    return;
  auto [T, d] = k.dims("T", "d");
  Tensor x = k.in("x", f32, {T, 2 * d});
  RowOutput y(k, T, d, group);

  auto [t, j] = k.parallel(blocks(T, 1), blocks(d, c.bd));
  Tile gate = load(x(t, j)), up = load(x(t, j + d));
  y.store(t, j, activate(kind, gate) * up);
}

Cost ActAndMul::cost(const Sizes &s, double flops, int group) {
  double elements = double(at(s, "T")) * double(at(s, "d"));
  return {(flops + (group ? 4 : 0)) * elements, (8 + (group ? 1 + 8.0 / group : 4)) * elements};
}

} // namespace tessera::ops
