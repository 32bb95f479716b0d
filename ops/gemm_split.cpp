#include "ops/gemm_split.h"

namespace tessera::ops {
using namespace dsl;

// parts[s] = A · B over k in [s length, (s + 1) length). One program owns one bm × bn block of one part.
void GemmSplit::define(Kernel &k, const Config &c) const {
  auto [M, N, K, splits] = k.dims("M", "N", "K", "splits");
  Tensor A = k.in("A", in, {M, K});
  Tensor B = transposed ? k.in("B", in, {N, K}) : k.in("B", in, {K, N});
  Tensor parts = k.out("parts", sumType(), {splits, M, N});

  auto [part, n, m] = k.parallel(each(splits), blocks(N, c.bn), blocks(M, c.bm));
  Tile together = Tile(splits) * c.bk, length = (K + (together - 1)) / together * c.bk;
  Tile from = part * length, left = K - min(from, K);
  Tile sum = loop(blocks(min(length, left), c.bk), zeros({c.bm, c.bn}, sumType()), [&](Range step, Tile acc) {
    Range kk = step + from;
    return dot(load(A(m, kk)), transposed ? trans(load(B(n, kk))) : load(B(kk, n)), acc, precision);
  });
  store(parts(part, m, n), sum);
}

Gemm::Config GemmSplit::defaultConfig(const Target &target, int64_t rows) const {
  return Gemm{.in = in, .transposed = transposed, .precision = precision}.defaultConfig(target, rows);
}

int64_t GemmSplit::splitsFor(const Config &c, const Sizes &s, int64_t programs) {
  auto blocksOf = [](int64_t size, int64_t block) { return (size + block - 1) / block; };
  int64_t whole = std::max<int64_t>(blocksOf(at(s, "M"), c.bm) * blocksOf(at(s, "N"), c.bn), 1);
  return std::clamp<int64_t>(programs / whole, 1, std::max<int64_t>(at(s, "K") / (4 * c.bk), 1));
}

Cost GemmSplit::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  return {2 * m * n * k, (m * k + k * n) * info(in).bits / 8 + double(at(s, "splits")) * m * n * 4};
}

} // namespace tessera::ops
