#include "ops/gemm_merge.h"

namespace tessera::ops {
using namespace dsl;

// One program owns one bm × bn block. Four parts are on their way at once; they are added one by one.
void GemmMerge::define(Kernel &k, const Config &c) const {
  auto [splits, M, N] = k.dims("splits", "M", "N");
  Tensor parts = k.in("parts", sum, {splits, M, N});
  Tensor C = k.out("C", out, {M, N});

  auto [m, n] = k.parallel(blocks(M, c.bm), blocks(N, c.bn));
  constexpr int together = 4;
  Tile total = loop(blocks(splits, together), zeros({c.bm, c.bn}, sum), [&](Range s, Tile acc) {
    Tile part[together];
    for (int i = 0; i < together; ++i)
      part[i] = reshape(load(parts(Range(s.origin + i, s.bound, 1, s.limit), m, n)), {c.bm, c.bn});
    for (const Tile &next : part)
      acc = acc + next;
    return acc;
  });
  store(C(m, n), out == i32 ? total : epilogue(total.to(f32), n).to(out));
}

// On a GPU a program is small: there are few outputs, or nobody had split.
GemmMerge::Config GemmMerge::defaultConfig(const Target &target) const {
  if (target.vendor != Vendor::cpu)
    return {};
  return {.bm = 1, .bn = 4 * lanes(target)};
}

Cost GemmMerge::cost(const Sizes &s) const {
  double outputs = double(at(s, "M")) * double(at(s, "N")), splits = double(at(s, "splits"));
  return {outputs * splits, outputs * (4 * splits + info(out).bits / 8)};
}

} // namespace tessera::ops
