#include "ops/gemm.h"

namespace tessera::ops {
using namespace dsl;

// C = epilogue(A · B). One program owns one bm × bn block of C.
void Gemm::define(Kernel &k, const Config &c) const {
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("A", in, {M, K});
  Tensor B = k.in("B", in, {K, N});
  Tensor C = k.out("C", out, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm)); // rows fastest: a column panel of B stays in cache

  Tile sum = loop(blocks(K, c.bk), zeros({c.bm, c.bn}),
                  [&](Range kk, Tile acc) { return dot(load(A(m, kk)), load(B(kk, n)), acc); });
  store(C(m, n), epilogue(sum, n).to(out));
}

// The accumulators (bm × two vectors) fill the registers, less what a row of B and a broadcast of A need.
Gemm::Config Gemm::defaultConfig(const Target &target, int64_t rows) const {
  int most = std::min((target.registers - 4) / 2, 12);
  return {.bm = int(std::min<int64_t>(most, std::max<int64_t>(rows, 1))), .bn = 2 * lanes(target), .bk = 8};
}

Cost Gemm::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  return {2 * m * n * k, (m * k + k * n) * info(in).bits / 8 + m * n * info(out).bits / 8};
}

} // namespace tessera::ops
