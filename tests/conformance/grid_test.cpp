// What a schedule does with the grid changes no bit: raster order, programs that stay. And products whose k is cut:
// parts against their oracle, and their sum; by programs that
// take equal shares of all steps.
#include "ops/gemm.h"
#include "ops/gemm_fix.h"
#include "ops/gemm_merge.h"
#include "ops/gemm_split.h"
#include "ops/gemm_stream.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "ops/softmax.h"
#include "tests/conformance/on_target.h"
#include <cmath>

using namespace tessera;
using namespace tessera::conformance;
using reference::MatmulShape;

class GridTest : public OnTarget {};
class SplitTest : public OnTarget {};
class StreamTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, GridTest, testing::ValuesIn(runnableTargets()), targetName);
INSTANTIATE_TEST_SUITE_P(, SplitTest, testing::ValuesIn(runnableTargets()), targetName);
INSTANTIATE_TEST_SUITE_P(, StreamTest, testing::ValuesIn(runnableTargets()), targetName);

static std::vector<float> rounded(DType dtype, std::vector<float> values) {
  return reference::decode(dtype, reference::encode(dtype, values));
}

static std::vector<float> product(const Target &target, MatmulShape s, const Schedule &schedule,
                                  ops::Gemm::Config config = {.bm = 16, .bn = 16, .bk = 16}) {
  ops::Gemm op{.in = f16, .out = f32};
  Argument c = Argument::out(f32, {s.m, s.n});
  launch(target, trace(op, config),
         {Argument::in(f16, {s.m, s.k}, randomFloats(s.m * s.k, 1)),
          Argument::in(f16, {s.k, s.n}, randomFloats(s.k * s.n, 2)), c},
         schedule);
  return c.floats();
}

// Grids of one program, of less than a group of rows, of whole groups and of a rest; the oracle has the last word.
TEST_P(GridTest, RasterOrderChangesNoBit) {
  for (MatmulShape s : {MatmulShape{9, 5, 16}, {40, 120, 24}, {128, 48, 32}, {150, 70, 17}}) {
    std::vector<float> plain = product(target(), s, {.raster = 1});
    std::vector<double> a = widen(rounded(f16, randomFloats(s.m * s.k, 1)));
    std::vector<double> b = widen(rounded(f16, randomFloats(s.k * s.n, 2)));
    EXPECT_LE(reference::nmse(plain, reference::gemm<double>(s, a, b)), 1e-6);
    for (int rows : {0, 2, 3, 8, 1000})
      EXPECT_EQ(product(target(), s, {.raster = rows}), plain) << s.m << " x " << s.n << ", " << rows << " rows";
  }
}

// More programs than the largest chip has multiprocessors, and fewer; with the raster and without.
TEST_P(GridTest, ProgramsThatStayChangeNoBit) {
  for (MatmulShape s : {MatmulShape{230, 200, 40}, {20, 20, 33}})
    for (Schedule schedule : {Schedule{.raster = 1, .persistent = 1}, {.persistent = 2}})
      EXPECT_EQ(product(target(), s, schedule), product(target(), s, {})) << s.m << " x " << s.n;
}

// Blocks as large as they are by default: warps share them, and on sm_90a warpgroups multiply.
TEST_P(GridTest, LargeBlocksInAnyOrderChangeNoBit) {
  MatmulShape s{1500, 1544, 40}; // more blocks than the largest chip has multiprocessors
  ops::Gemm::Config config = ops::Gemm{.in = f16}.defaultConfig(target(), s.m);
  std::vector<float> plain = product(target(), s, {.raster = 1}, config);
  for (Schedule schedule : {Schedule{.raster = 5}, {.raster = 1, .persistent = 1}})
    EXPECT_EQ(product(target(), s, schedule, config), plain) << schedule.text();
}

// A kernel whose warps exchange values: the next row must wait until all have read those of this one.
TEST_P(GridTest, RowsOneAfterAnotherChangeNoBit) {
  int64_t rows = 300, columns = 700;
  ops::Softmax op;
  std::vector<float> x = randomFloats(rows * columns, 3);
  Argument plain = Argument::out(f32, {rows, columns}), staying = Argument::out(f32, {rows, columns});
  Result<Program> program = trace(op, op.defaultConfig(target()));
  launch(target(), program, {Argument::in(f32, {rows, columns}, x), plain});
  launch(target(), program, {Argument::in(f32, {rows, columns}, x), staying}, {.persistent = 1});
  EXPECT_EQ(staying.floats(), plain.floats());
}

static Argument split(const Target &target, const ops::GemmSplit &op, MatmulShape s, int64_t splits, Argument a,
                      Argument b) {
  Argument parts = Argument::out(op.sumType(), {splits, s.m, s.n});
  launch(target, trace(op, op.defaultConfig(target, s.m)), {std::move(a), std::move(b), parts});
  return parts;
}

// Whole parts, a short last one, more parts than steps of k (empty ones), and one part.
TEST_P(SplitTest, PartsAndTheirSumAgreeWithTheOracle) {
  for (DType dtype : {f32, f16, bf16})
    for (auto [s, splits] : {std::pair<MatmulShape, int64_t>{{64, 96, 512}, 4},
                             {{33, 70, 200}, 3},
                             {{1, 5, 40}, 7},
                             {{130, 136, 256}, 2},
                             {{16, 24, 72}, 1}}) {
      ops::GemmSplit op{dtype};
      std::vector<float> a = rounded(dtype, randomFloats(s.m * s.k, 1)), b = rounded(dtype, randomFloats(s.k * s.n, 2));
      Argument parts =
          split(target(), op, s, splits, Argument::in(dtype, {s.m, s.k}, a), Argument::in(dtype, {s.k, s.n}, b));
      double bound = dtype == f32 ? 1e-10 : 1e-6;
      std::vector<double> oracle =
          reference::gemmSplit(s, splits, op.defaultConfig(target(), s.m).bk, widen(a), widen(b));
      EXPECT_LE(reference::nmse(parts.floats(), oracle), bound) << name(dtype) << " " << splits << " parts";
      ops::GemmMerge merge;
      Argument c = Argument::out(f32, {s.m, s.n});
      launch(target(), trace(merge, merge.defaultConfig(target())), {parts, c});
      EXPECT_LE(reference::nmse(c.floats(), reference::gemmMerge(splits, oracle)), bound) << name(dtype);
      EXPECT_LE(reference::nmse(c.floats(), reference::gemm<double>(s, widen(a), widen(b))), bound) << name(dtype);
    }
}

TEST_P(SplitTest, BytesAreExact) {
  MatmulShape s{33, 70, 200};
  std::vector<int8_t> a(s.m * s.k), b(s.k * s.n);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = int8_t(i * 37 % 256);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = int8_t(i * 91 % 256);
  Argument parts = split(target(), {.in = i8}, s, 3, Argument::in({s.m, s.k}, a), Argument::in({s.k, s.n}, b));
  ops::GemmMerge merge{.sum = i32, .out = i32};
  Argument c = Argument::out(i32, {s.m, s.n});
  launch(target(), trace(merge, merge.defaultConfig(target())), {parts, c});
  std::vector<double> oracle =
      reference::gemm<double>(s, std::vector<double>(a.begin(), a.end()), std::vector<double>(b.begin(), b.end()));
  EXPECT_EQ(c.as<int32_t>(), std::vector<int32_t>(oracle.begin(), oracle.end()));
}

// One order of adding, the ascending one, whatever the blocks; the epilogue comes last.
TEST_P(SplitTest, PartsAreAddedOneByOne) {
  int64_t m = 5, n = 150;
  for (int64_t splits : {1, 3, 4, 11}) {
    std::vector<float> parts = randomFloats(splits * m * n, 4), want(m * n, 0);
    for (size_t i = 0; i < parts.size(); ++i)
      want[i % want.size()] += parts[i];
    for (float &value : want)
      value = value > 0 ? value : 0;
    ops::GemmMerge op;
    op.epilogue = [](dsl::Tile acc, dsl::Range) { return max(acc, 0.0); };
    for (ops::GemmMerge::Config config : {op.defaultConfig(target()), {1, 32}}) {
      Argument c = Argument::out(f32, {m, n});
      launch(target(), trace(op, config), {Argument::in(f32, {splits, m, n}, parts), c});
      EXPECT_EQ(c.floats(), want) << splits << " parts";
    }
  }
}

// C of both kernels of a stream-K product by so many programs.
static std::vector<float> streamed(const Target &target, DType dtype, MatmulShape s, int64_t workers,
                                   ops::Gemm::Config config = {.bm = 16, .bn = 16, .bk = 16}) {
  ops::GemmStream stream{.in = dtype};
  stream.epilogue = [](dsl::Tile acc, dsl::Range) { return acc * 2.0; };
  ops::GemmFix fix{.epilogue = stream.epilogue};
  Argument c = Argument::out(f32, {s.m, s.n}), parts = Argument::out(f32, {workers, 2, config.bm, config.bn});
  launch(target, trace(stream, config),
         {Argument::in(dtype, {s.m, s.k}, randomFloats(s.m * s.k, 1)),
          Argument::in(dtype, {s.k, s.n}, randomFloats(s.k * s.n, 2)), c, parts});
  launch(target, trace(fix, config), {parts, c, Argument::scalar(s.k)});
  return c.floats();
}

// Fewer programs than blocks, as many, more (several share a block, or have nothing to do); whole blocks and ragged
// ones.
TEST_P(StreamTest, AgreesWithTheOracleForAnyNumberOfPrograms) {
  for (DType dtype : {f32, f16})
    for (MatmulShape s : {MatmulShape{64, 48, 80}, {33, 70, 200}, {9, 5, 40}}) {
      std::vector<double> a = widen(rounded(dtype, randomFloats(s.m * s.k, 1)));
      std::vector<double> b = widen(rounded(dtype, randomFloats(s.k * s.n, 2)));
      std::vector<double> oracle = reference::gemm<double>(s, a, b);
      for (double &value : oracle)
        value *= 2;
      for (int64_t workers : {1, 2, 5, 12, 13, 100})
        EXPECT_LE(reference::nmse(streamed(target(), dtype, s, workers), oracle), dtype == f32 ? 1e-10 : 1e-6)
            << name(dtype) << " " << s.m << " x " << s.n << " x " << s.k << " by " << workers;
    }
}

TEST_P(StreamTest, LargeBlocksAgreeWithTheOracle) {
  MatmulShape s{200, 136, 320};
  std::vector<double> oracle = reference::gemm<double>(s, widen(rounded(f16, randomFloats(s.m * s.k, 1))),
                                                       widen(rounded(f16, randomFloats(s.k * s.n, 2))));
  for (double &value : oracle)
    value *= 2;
  ops::Gemm::Config config = ops::GemmStream{.in = f16}.defaultConfig(target(), s.m);
  for (int64_t workers : {4, 9})
    EXPECT_LE(reference::nmse(streamed(target(), f16, s, workers, config), oracle), 1e-6) << workers;
}

// What each kernel leaves, element by element: parts that nobody wrote stay as they were.
TEST_P(StreamTest, PartsAreWhatTheOracleSays) {
  MatmulShape s{33, 40, 72};
  ops::Gemm::Config config{.bm = 16, .bn = 16, .bk = 16};
  for (int64_t workers : {3, 7}) {
    Argument c = Argument::out(f32, {s.m, s.n}), parts = Argument::out(f32, {workers, 2, 16, 16});
    std::vector<float> a = randomFloats(s.m * s.k, 1), b = randomFloats(s.k * s.n, 2);
    launch(target(), trace(ops::GemmStream{}, config),
           {Argument::in(f32, {s.m, s.k}, a), Argument::in(f32, {s.k, s.n}, b), c, parts});
    reference::Streamed want = reference::gemmStream(s, {16, 16, 16}, workers, widen(a), widen(b));
    for (auto [got, oracle] : {std::pair(parts.floats(), want.parts), {c.floats(), want.c}})
      for (size_t i = 0; i < got.size(); ++i)
        ASSERT_TRUE(std::isnan(oracle[i]) ? std::isnan(got[i])
                                          : std::abs(got[i] - oracle[i]) <= 1e-4 * (1 + std::abs(oracle[i])))
            << i << ": " << got[i] << ", the oracle has " << oracle[i];
    launch(target(), trace(ops::GemmFix{}, config), {parts, c, Argument::scalar(s.k)});
    EXPECT_LE(reference::nmse(c.floats(), reference::gemmFix(s, {16, 16, 16}, want)), 1e-10);
  }
}

TEST(SplitsFor, FillTheChipWithoutTinyParts) {
  ops::Gemm::Config config{.bm = 128, .bn = 128, .bk = 32};
  auto of = [&](int64_t m, int64_t n, int64_t k) {
    return ops::GemmSplit::splitsFor(config, {{"M", m}, {"N", n}, {"K", k}}, 108);
  };
  EXPECT_EQ(of(128, 128, 8192), 64); // four steps each
  EXPECT_EQ(of(256, 256, 8192), 27);
  EXPECT_EQ(of(4096, 4096, 8192), 1);
  EXPECT_EQ(of(1, 1, 1), 1);
}
