#include "ops/pack.h"
#include <algorithm>

namespace tessera::ops {
using namespace dsl;

// One program owns bk rows of one panel.
void Pack::define(Kernel &k, const Config &c) const {
  if (!k.require(kGroup == 0 || c.bk == kGroup, "pack takes one group of k a step: kGroup is " +
                                                    std::to_string(kGroup) + " and bk is " + std::to_string(c.bk)))
    return;
  auto [N, K, panels] = k.dims("N", "K", "panels");
  Tensor x = k.in("x", dtype, {K, N});
  Tensor y = kGroup ? k.out("y", dtype, {panels, K / kGroup, panel * kGroup}) : k.out("y", dtype, {panels, K, panel});

  auto [p, kk] = k.parallel(each(panels), blocks(K, c.bk));
  Tile rows = load(x(kk, Range(p * panel, N, panel, N)));
  if (kGroup)
    store(y(p, kk / kGroup, all), reshape(trans(rows), {1, panel * kGroup}));
  else
    store(y(p, kk, all), rows);
}

// On a GPU as many rows as give two warps 16 bytes a lane.
Pack::Config Pack::defaultConfig(const Target &target) const {
  constexpr int bits = 2 * 32 * 128;
  if (kGroup || target.vendor == Vendor::cpu)
    return {.bk = kGroup ? kGroup : 8};
  return {.bk = std::clamp(bits / (panel * info(dtype).bits), 8, 64)};
}

Cost Pack::cost(const Sizes &s) const {
  int64_t columns = at(s, "N"), padded = (columns + panel - 1) / panel * panel;
  return {0, double(at(s, "K")) * double(columns + padded) * info(dtype).bits / 8};
}

} // namespace tessera::ops
