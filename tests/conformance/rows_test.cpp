// The ops that work row by row or element by element, against their oracles.
#include "ops/arg_max.h"
#include "ops/embedding.h"
#include "ops/kv_append.h"
#include "ops/quantize.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "ops/rms_norm.h"
#include "ops/silu_and_mul.h"
#include "ops/softmax.h"
#include "tests/conformance/on_target.h"
#include <cmath>
#include <numeric>

using namespace tessera;
using namespace tessera::conformance;

class RowsTest : public OnTarget {
protected:
  template <class Op> bool run(const Op &op, std::vector<Argument> arguments) {
    return launch(target(), trace(op, op.defaultConfig(target())), std::move(arguments));
  }
};
INSTANTIATE_TEST_SUITE_P(, RowsTest, testing::ValuesIn(runnableTargets()), targetName);

struct Rows {
  int64_t rows, columns;
};
static std::string text(Rows s) { return std::to_string(s.rows) + " x " + std::to_string(s.columns); }

static void expectClose(const std::vector<float> &result, const std::vector<double> &oracle, double nmse,
                        const std::string &what) {
  EXPECT_LE(reference::nmse(result, oracle), nmse) << what;
}

// ---- norms ----

static std::vector<float> runNorm(const Target &target, Rows s, ops::RmsNorm::Config config) {
  Argument y = Argument::out(f32, {s.rows, s.columns});
  launch(target, trace(ops::RmsNorm{}, config),
         {Argument::in(f32, {s.rows, s.columns}, randomFloats(s.rows * s.columns, 1)),
          Argument::in(f32, {s.columns}, randomFloats(s.columns, 2)), y, Argument::scalar(1e-5)});
  return y.floats();
}

static void checkNorm(const Target &target, Rows s) {
  std::vector<float> x = randomFloats(s.rows * s.columns, 1), r = randomFloats(s.rows * s.columns, 3),
                     w = randomFloats(s.columns, 2);
  std::vector<float> y = runNorm(target, s, ops::RmsNorm{}.defaultConfig(target));
  expectClose(y, reference::rmsNorm<double>(widen(x), widen(w), double(1e-5f)), 1e-10, text(s));

  ops::RmsNorm fused{.residual = true};
  Argument residual = Argument::inOut(f32, {s.rows, s.columns}, r), z = Argument::out(f32, {s.rows, s.columns});
  if (!launch(target, trace(fused, fused.defaultConfig(target)),
              {Argument::in(f32, {s.rows, s.columns}, x), residual, Argument::in(f32, {s.columns}, w), z,
               Argument::scalar(1e-5)}))
    return;
  for (size_t i = 0; i < x.size(); ++i)
    r[i] += x[i];
  EXPECT_EQ(residual.floats(), r) << text(s); // one f32 addition has one right answer
  expectClose(z.floats(), reference::rmsNorm<double>(widen(r), widen(w), double(1e-5f)), 1e-10, text(s) + " fused");
}

TEST_P(RowsTest, RmsNorm) {
  for (Rows s : {Rows{1, 576}, {19, 111}, {3, 1024}, {2, 1}, {5, 4096}})
    checkNorm(target(), s);
}
TEST_P(RowsTest, DISABLED_RmsNormFullGrid) {
  for (int64_t d : {111, 500, 576, 1024, 3072, 3584, 4096, 8192, 16384})
    for (int64_t rows : {1, 19, 99, 989})
      checkNorm(target(), {rows, d});
}
TEST_P(RowsTest, RmsNormOfARowDoesNotDependOnTheOthers) {
  std::vector<float> one = runNorm(target(), {1, 576}, {.bd = 128}), many = runNorm(target(), {33, 576}, {.bd = 128});
  EXPECT_TRUE(std::equal(one.begin(), one.end(), many.begin()));
}
TEST_P(RowsTest, RmsNormOfZerosIsZero) {
  Argument y = Argument::out(f32, {1, 40});
  run(ops::RmsNorm{}, {Argument::in(f32, {1, 40}, std::vector<float>(40, 0.0f)),
                       Argument::in(f32, {40}, randomFloats(40, 1)), y, Argument::scalar(1e-6)});
  EXPECT_EQ(y.floats(), std::vector<float>(40, 0.0f));
}

// ---- quantization ----

static void checkQuantize(const Target &target, Rows s, const std::vector<float> &x, int group = 32) {
  ops::Quantize op{.group = group};
  Argument codes = Argument::out(i8, {s.rows, s.columns}), scale = Argument::out(f32, {s.rows, s.columns / group}),
           sum = Argument::out(i32, {s.rows, s.columns / group});
  launch(target, trace(op, op.defaultConfig(target)), {Argument::in(f32, {s.rows, s.columns}, x), codes, scale, sum});
  reference::Quantized oracle = reference::quantize(x, s.columns, group);
  EXPECT_EQ(codes.as<int8_t>(), oracle.codes) << text(s);
  EXPECT_EQ(scale.floats(), oracle.scale) << text(s);
  EXPECT_EQ(sum.as<int32_t>(), oracle.sum) << text(s);
}

TEST_P(RowsTest, QuantizeIsBitExact) {
  for (Rows s : {Rows{1, 576}, {7, 1536}, {3, 32}, {2, 288}})
    for (int group : {16, 32})
      checkQuantize(target(), s, randomFloats(s.rows * s.columns, 4), group);
}
TEST_P(RowsTest, QuantizeRoundsTiesToEvenAndKeepsZeroAndTinyBlocks) {
  std::vector<float> x(128, 0.0f);
  for (int i = 0; i < 32; ++i) {
    x[i] = float(i) - 15.5f; // with d = 1 every value is a tie
    x[64 + i] = float(i) * 0x1p-140f;
    x[96 + i] = float(i - 16) * 1e30f;
  }
  x[31] = -127.0f;
  checkQuantize(target(), {1, 128}, x);
}

// ---- embedding ----

TEST_P(RowsTest, EmbeddingDequantizesExactly) {
  for (DType format : {q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k}) {
    int64_t rows = 37, columns = info(format).packed->twoLevels() ? 768 : 160;
    std::vector<std::byte> file = reference::randomFile(format, rows, columns, 9, /*wild=*/true);
    reference::PackedMatrix m = reference::fromFile(format, rows, columns, file);
    std::vector<int32_t> tokens{36, 0, 17, 17, 15, 16};
    Argument y = Argument::out(f32, {6, columns});
    run(ops::Embedding{.table = format},
        {Argument::packed(format, {rows, columns}, reference::toPanels(m)), Argument::in({6}, tokens), y});
    std::vector<double> oracle = reference::embedding(widen(m.values()), tokens, columns);
    EXPECT_EQ(widen(y.floats()), oracle) << name(format);
  }
}
TEST_P(RowsTest, EmbeddingCopiesDenseRows) {
  for (DType dtype : {f16, bf16, f32, panel_f16, panel_bf16, panel_f32}) {
    DType element = isPacked(dtype) ? info(dtype).packed->element : dtype;
    std::vector<float> w = reference::decode(element, reference::encode(element, randomFloats(11 * 100, 3)));
    std::vector<int32_t> tokens{10, 0, 5};
    Argument y = Argument::out(f32, {3, 100});
    Argument table = isPacked(dtype) ? Argument::packed(dtype, {11, 100}, reference::valuePanels(dtype, 11, 100, w))
                                     : Argument::in(dtype, {11, 100}, w);
    run(ops::Embedding{.table = dtype}, {table, Argument::in({3}, tokens), y});
    EXPECT_EQ(widen(y.floats()), reference::embedding(widen(w), tokens, 100)) << name(dtype);
  }
}

// ---- the cache ----

TEST_P(RowsTest, KvAppendWritesItsSlotsAndNothingElse) {
  for (DType cache : {f16, f32, bf16}) {
    ops::KvAppend op{.kvHeads = 3, .headDim = 40, .pageSize = 4, .cache = cache};
    std::vector<int32_t> slots{5, 6, 7, 20, 0}; // pages 1, 5 and 0 of 6
    int64_t cells = 6 * 3 * 4 * 40;
    std::vector<float> before = reference::decode(cache, reference::encode(cache, randomFloats(cells, 6)));
    std::vector<float> k = randomFloats(5 * 3 * 40, 7), v = randomFloats(5 * 3 * 40, 8);
    Argument keys = Argument::inOut(cache, {6, 3, 4, 40}, before),
             values = Argument::inOut(cache, {6, 3, 4, 40}, before);
    run(op,
        {Argument::in(f32, {5, 3, 40}, k), Argument::in(f32, {5, 3, 40}, v), Argument::in({5}, slots), keys, values});
    auto expected = [&](const std::vector<float> &x) {
      std::vector<float> narrow = reference::decode(cache, reference::encode(cache, x));
      return reference::kvAppend({6, 3, 4, 40}, widen(before), widen(narrow), slots);
    };
    EXPECT_EQ(widen(keys.floats()), expected(k)) << name(cache);
    EXPECT_EQ(widen(values.floats()), expected(v)) << name(cache);
  }
}
TEST_P(RowsTest, KvAppendWritesKeyColumns) {
  ops::KvAppend op{.kvHeads = 2, .headDim = 24, .pageSize = 4, .keyColumns = true};
  std::vector<int32_t> slots{5, 0}; // pages 1 and 0 of 3
  std::vector<float> k = randomFloats(2 * 2 * 24, 7);
  Argument keys = Argument::inOut(f16, {3, 2, 24, 4}, std::vector<float>(3 * 2 * 24 * 4, 9.0f)),
           values = Argument::inOut(f16, {3, 2, 4, 24}, std::vector<float>(3 * 2 * 4 * 24, 9.0f));
  run(op, {Argument::in(f32, {2, 2, 24}, k), Argument::in(f32, {2, 2, 24}, k), Argument::in({2}, slots), keys, values});
  std::vector<float> columns = keys.floats(), rows = values.floats();
  for (int64_t page = 0; page < 3 * 2; ++page)
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t e = 0; e < 24; ++e)
        ASSERT_EQ(columns[(page * 24 + e) * 4 + i], rows[(page * 4 + i) * 24 + e]) << page << " " << i << " " << e;
}

// ---- activations, softmax, argmax ----

TEST_P(RowsTest, SiluAndMul) {
  for (Rows s : {Rows{1, 1536}, {7, 100}, {2, 1}, {33, 576}}) {
    std::vector<float> x = randomFloats(s.rows * s.columns * 2, 9, 3);
    Argument y = Argument::out(f32, {s.rows, s.columns});
    run(ops::SiluAndMul{}, {Argument::in(f32, {s.rows, 2 * s.columns}, x), y});
    expectClose(y.floats(), reference::siluAndMul<double>(widen(x), s.columns), 1e-10, text(s));
  }
}
TEST_P(RowsTest, SiluAndMulSaturatesWithoutNaN) {
  std::vector<float> x{-1000, -90, -1e30f, 0, 90, 1e30f, 1, 1, 1, 1, 1, 1};
  Argument y = Argument::out(f32, {1, 6});
  run(ops::SiluAndMul{}, {Argument::in(f32, {1, 12}, x), y});
  std::vector<float> result = y.floats();
  EXPECT_NEAR(result[0], 0, 1e-30);
  EXPECT_NEAR(result[1], 0, 1e-30);
  EXPECT_NEAR(result[2], 0, 1e-7);
  EXPECT_EQ(result[3], 0);
  EXPECT_EQ(result[4], 90);
  EXPECT_EQ(result[5], 1e30f);
}

static void checkSoftmax(const Target &target, Rows s) {
  std::vector<float> x = randomFloats(s.rows * s.columns, 10, 2);
  Argument y = Argument::out(f32, {s.rows, s.columns});
  launch(target, trace(ops::Softmax{}, ops::Softmax{}.defaultConfig(target)),
         {Argument::in(f32, {s.rows, s.columns}, x), y});
  expectClose(y.floats(), reference::softmax<double>(widen(x), s.columns), 1e-9, text(s));
}
TEST_P(RowsTest, Softmax) {
  for (Rows s : {Rows{1, 1}, {3, 111}, {17, 64}, {2, 49152}})
    checkSoftmax(target(), s);
}
TEST_P(RowsTest, DISABLED_SoftmaxFullGrid) {
  for (int64_t columns : {111, 1024, 32000, 49152, 128256, 262208, 643251})
    for (int64_t rows : {1, 19})
      checkSoftmax(target(), {rows, columns});
}
TEST_P(RowsTest, SoftmaxTakesMinusInfinity) {
  std::vector<float> x{-INFINITY, 0, -INFINITY, 0, -1e30f};
  Argument y = Argument::out(f32, {1, 5});
  run(ops::Softmax{}, {Argument::in(f32, {1, 5}, x), y});
  EXPECT_EQ(y.floats(), (std::vector<float>{0, 0.5f, 0, 0.5f, 0}));
}

static void checkArgMax(const Target &target, Rows s, const std::vector<float> &x) {
  Argument y = Argument::out(i32, {s.rows});
  launch(target, trace(ops::ArgMax{}, ops::ArgMax{}.defaultConfig(target)),
         {Argument::in(f32, {s.rows, s.columns}, x), y});
  EXPECT_EQ(y.as<int32_t>(), reference::argMax(widen(x), s.columns)) << text(s);
}
TEST_P(RowsTest, ArgMax) {
  for (Rows s : {Rows{1, 49152}, {19, 111}, {3, 1}, {2, 64}, {5, 65}, {1, 128256}})
    checkArgMax(target(), s, randomFloats(s.rows * s.columns, 11));
}
TEST_P(RowsTest, ArgMaxTakesTheLowestOfEquals) {
  for (int64_t first : {0, 1, 63, 64, 127, 128, 200})
    for (int64_t second : {201, 256, 299}) {
      std::vector<float> x = randomFloats(300, 12);
      x[first] = x[second] = 1000;
      checkArgMax(target(), {1, 300}, x);
    }
  checkArgMax(target(), {1, 300}, std::vector<float>(300, -5.0f));
  checkArgMax(target(), {1, 300}, std::vector<float>(300, -INFINITY));
}
