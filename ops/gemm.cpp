#include "ops/gemm.h"

namespace tessera::ops {
using namespace dsl;

// C = epilogue(A · B). One program owns one bm × bn block of C.
void Gemm::define(Kernel &k, const Config &c) const {
  if (!k.require(panel == 0 || panel == c.bn, "gemm takes a panel of B at a time: panel is " + std::to_string(panel) +
                                                  " and bn is " + std::to_string(c.bn)))
    return;
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("A", in, {M, K});
  Tensor B = panel ? k.in("B", in, {k.dims("panels"), K, panel}) : k.in("B", in, {K, N});
  Tensor C = k.out("C", out, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm)); // rows fastest: a column panel of B stays in cache

  Tile sum = loop(blocks(K, c.bk), zeros({c.bm, c.bn}), [&](Range kk, Tile acc) {
    return dot(load(A(m, kk)), load(panel ? B(n.origin / panel, kk, all) : B(kk, n)), acc);
  });
  store(C(m, n), epilogue(sum, n).to(out));
}

// Rows in nearly equal parts. The accumulators (bm × two vectors) fill the registers, less what a row of B and a
// broadcast of A need.
Gemm::Config Gemm::defaultConfig(const Target &target, int64_t rows) const {
  if (target.vendor != Vendor::cpu) {
    int most = in == f32 ? 64 : 128; // f32 is multiplied by the threads, a patch of 4 x 4 each
    return {.bm = int(std::clamp<int64_t>(floorPower(int(std::min<int64_t>(rows, most))), 16, most)),
            .bn = panel ? panel : most,
            .bk = in == f32 ? 16 : 32};
  }
  int64_t most = std::min((target.registers - 4) / 2, 12), parts = (std::max<int64_t>(rows, 1) + most - 1) / most;
  int bm = parts > 4 ? int(most) : int((std::max<int64_t>(rows, 1) + parts - 1) / parts);
  return {.bm = bm, .bn = panel ? panel : 2 * lanes(target), .bk = 8};
}

Cost Gemm::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  return {2 * m * n * k, (m * k + k * n) * info(in).bits / 8 + m * n * info(out).bits / 8};
}

} // namespace tessera::ops
