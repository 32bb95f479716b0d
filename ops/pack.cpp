#include "ops/pack.h"

namespace tessera::ops {
using namespace dsl;

// One program owns bk rows of one panel.
void Pack::define(Kernel &k, const Config &c) const {
  auto [N, K, panels] = k.dims("N", "K", "panels");
  Tensor x = k.in("x", dtype, {K, N});
  Tensor y = k.out("y", dtype, {panels, K, panel});

  auto [p, kk] = k.parallel(each(panels), blocks(K, c.bk));
  store(y(p, kk, all), load(x(kk, Range(p * panel, N, panel, N))));
}

Cost Pack::cost(const Sizes &s) const {
  int64_t columns = at(s, "N"), padded = (columns + panel - 1) / panel * panel;
  return {0, double(at(s, "K")) * double(columns + padded) * info(dtype).bits / 8};
}

} // namespace tessera::ops
