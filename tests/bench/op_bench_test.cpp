// What a user of `tessera bench op` relies on: a row a case with figures that belong together, and clear refusals.
#include "bench/op_bench.h"
#include "ops/all.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace tessera;
using namespace tessera::bench;

static std::vector<OpBenchRow> rowsOf(OpBenchOptions options) {
  options.repeats = 2;
  std::vector<OpBenchRow> rows;
  Status status = benchOps(options, [&](const OpBenchRow &row) {
    rows.push_back(row);
    return true;
  });
  EXPECT_TRUE(status) << status.error().message;
  return rows;
}

TEST(OpBench, ARowsFiguresBelongTogether) {
  std::vector<OpBenchRow> rows =
      rowsOf({.op = "gemm", .dtype = f32, .sizes = {{"M", 32}, {"N", 48}, {"K", 64}}, .threads = 1});
  ASSERT_EQ(rows.size(), 1u);
  const OpBenchRow &row = rows[0];
  EXPECT_EQ(row.op, "gemm");
  EXPECT_EQ(row.dtype, "f32");
  EXPECT_EQ(row.shape, "K=64,M=32,N=48");
  EXPECT_LE(row.us.min, row.us.median);
  EXPECT_LE(row.us.median, row.us.max);
  EXPECT_NEAR(row.tflops * 1e12, 2.0 * 32 * 48 * 64 / (row.us.median * 1e-6), row.tflops * 1e6);
  EXPECT_NEAR(row.gbS * 1e9, 4.0 * (32 * 64 + 64 * 48 + 32 * 48) / (row.us.median * 1e-6), row.gbS * 1e3);
  EXPECT_GT(row.percentOfRoofline, 0);
}

// Every op finds valid arguments for its cases, whatever its index arguments are.
TEST(OpBench, EveryOpRuns) {
  for (const ops::OpInfo &op : ops::all())
    for (const OpBenchRow &row : rowsOf({.op = std::string(op.name), .dtype = op.dtypes.front(), .threads = 1}))
      EXPECT_TRUE(std::isfinite(row.us.median) && row.us.median > 0) << op.name << " " << row.shape;
}

// The demo model's rows of 576 are no whole blocks of 256: the format gets wider ones.
TEST(OpBench, EveryCaseSuitsAFormatOfLargeBlocks) {
  for (const OpBenchRow &row : rowsOf({.op = "quant_matmul", .dtype = q4_k, .threads = 1}))
    EXPECT_GT(row.us.median, 0) << row.shape;
}

static std::string refusal(const OpBenchOptions &options) {
  Status status = benchOps(options, [](const OpBenchRow &) { return true; });
  return status ? "accepted" : status.error().message;
}

TEST(OpBench, RefusesWhatItCannotTime) {
  EXPECT_TRUE(refusal({.op = "conv"}).starts_with("unknown op 'conv'"));
  EXPECT_EQ(refusal({.op = "softmax", .dtype = f16}), "op 'softmax' does not take dtype f16");
  EXPECT_EQ(refusal({.op = "softmax", .sizes = {{"Q", 1}}}), "op 'softmax' has no size 'Q'");
  EXPECT_TRUE(refusal({.op = "quant_matmul", .sizes = {{"K", 33}}}).find("32") != std::string::npos);
  EXPECT_NE(refusal({.op = "softmax", .device = "abacus"}), "accepted");
}

TEST(OpBench, DoesNotPassModelledTimesForMeasuredOnes) {
  Status status = benchOps({.op = "gemm", .device = "virtual:t4"}, [](const OpBenchRow &) { return true; });
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("are modelled"), std::string::npos) << status.error().message;
}
