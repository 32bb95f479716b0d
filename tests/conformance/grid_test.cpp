// What a schedule does with the grid changes no bit: raster order, programs that stay. And products whose k is cut:
// parts against their oracle, and their sum.
#include "ops/gemm.h"
#include "ops/gemm_merge.h"
#include "ops/gemm_split.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "ops/softmax.h"
#include "tests/conformance/on_target.h"

using namespace tessera;
using namespace tessera::conformance;
using reference::MatmulShape;

class GridTest : public OnTarget {};
class SplitTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, GridTest, testing::ValuesIn(runnableTargets()), targetName);
INSTANTIATE_TEST_SUITE_P(, SplitTest, testing::ValuesIn(runnableTargets()), targetName);

static std::vector<float> rounded(DType dtype, std::vector<float> values) {
  return reference::decode(dtype, reference::encode(dtype, values));
}

static std::vector<float> product(const Target &target, MatmulShape s, const Schedule &schedule) {
  ops::Gemm op{.in = f16, .out = f32};
  Argument c = Argument::out(f32, {s.m, s.n});
  launch(target, trace(op, {.bm = 16, .bn = 16, .bk = 16}),
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
