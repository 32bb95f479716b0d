// What a user of `tessera bench gemm` relies on: a row a shape, figures that belong together, the whole list of shapes,
// and clear refusals.
#include "bench/gemm_bench.h"
#include <algorithm>
#include <gtest/gtest.h>

using namespace tessera;
using namespace tessera::bench;

TEST(GemmBench, ARowsFiguresBelongTogether) {
  for (DType dtype : {f32, bf16, u8}) {
    std::vector<GemmBenchRow> rows;
    Status status =
        benchGemm({.dtype = dtype, .shapes = {{5, 96, 64}}, .threads = 1, .repeats = 3}, [&](const GemmBenchRow &row) {
          rows.push_back(row);
          return true;
        });
    ASSERT_TRUE(status) << status.error().message;
    ASSERT_EQ(rows.size(), 1u);
    const GemmBenchRow &row = rows[0];
    EXPECT_EQ(row.shape.m, 5);
    EXPECT_LE(row.us.min, row.us.median);
    EXPECT_LE(row.us.median, row.us.max);
    EXPECT_NEAR(row.gops * 1e9, 2.0 * 5 * 96 * 64 / (row.us.median * 1e-6), row.gops * 1e6);
    for (const std::optional<Spread> &peer : {row.blas, row.dnnl})
      if (peer) {
        EXPECT_GT(peer->min, 0) << name(dtype);
        EXPECT_LE(peer->min, peer->median) << name(dtype);
      }
    EXPECT_FALSE(row.blas && dtype != f32); // OpenBLAS has no other
  }
}

TEST(GemmBench, CoversSquaresAndLayers) {
  auto has = [](int64_t m, int64_t n, int64_t k) {
    return std::ranges::any_of(gemmShapes(), [&](GemmShape s) { return s.m == m && s.n == n && s.k == k; });
  };
  for (int64_t size : {256, 512, 1024, 2048})
    EXPECT_TRUE(has(size, size, size)) << size;
  for (int64_t rows : {1, 4, 16})
    EXPECT_TRUE(has(rows, 1536, 576) && has(rows, 14336, 4096)) << rows;
}

TEST(GemmBench, RefusesWhatItCannotCompare) {
  auto refusal = [](const GemmBenchOptions &options) {
    Status status = benchGemm(options, [](const GemmBenchRow &) { return true; });
    return status ? std::string("accepted") : status.error().message;
  };
  EXPECT_EQ(refusal({.dtype = f16}), "bench gemm takes f32, bf16 or u8, not f16");
  EXPECT_NE(refusal({.device = "abacus"}), "accepted");
}
