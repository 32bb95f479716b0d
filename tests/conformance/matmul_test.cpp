// Gemm and QuantMatmul against their oracles, with the tolerances of the matrix products.
#include "ops/gemm.h"
#include "ops/pack.h"
#include "ops/quant_matmul.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "tests/conformance/on_target.h"
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <random>

using namespace tessera;
using namespace tessera::conformance;
using reference::MatmulShape;

class GemmTest : public OnTarget {};
class QuantMatmulTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, GemmTest, testing::ValuesIn(runnableTargets()), targetName);
INSTANTIATE_TEST_SUITE_P(, QuantMatmulTest, testing::ValuesIn(runnableTargets()), targetName);

static std::string text(MatmulShape s) {
  return std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k);
}

// Values rounded to dtype, as the kernel will see them.
static std::vector<float> rounded(DType dtype, std::vector<float> values) {
  return reference::decode(dtype, reference::encode(dtype, values));
}

static constexpr DType floatTypes[] = {f32, f16, bf16};

static std::vector<float> runGemm(const Target &target, const ops::Gemm &op, ops::Gemm::Config config,
                                  const Argument &a, const Argument &b) {
  Argument c = Argument::out(op.out, {a.shape[0], b.shape[op.transposed ? 0 : 1]});
  launch(target, trace(op, config), {a, b, c});
  return c.floats();
}
static std::vector<float> runGemm(const Target &target, const ops::Gemm &op, MatmulShape s, ops::Gemm::Config config) {
  return runGemm(target, op, config, Argument::in(op.in, {s.m, s.k}, randomFloats(s.m * s.k, 1)),
                 Argument::in(op.in, {s.k, s.n}, randomFloats(s.k * s.n, 2)));
}

static void checkGemm(std::span<const Target *const> targets, DType dtype, MatmulShape s) {
  ops::Gemm op{.in = dtype, .out = f32};
  Argument a = Argument::in(dtype, {s.m, s.k}, randomFloats(s.m * s.k, 1)),
           b = Argument::in(dtype, {s.k, s.n}, randomFloats(s.k * s.n, 2));
  std::vector<double> oracle = reference::gemm<double>(s, widen(a.floats()), widen(b.floats()));
  for (const Target *target : targets)
    EXPECT_LE(reference::nmse(runGemm(*target, op, op.defaultConfig(*target, s.m), a, b), oracle),
              dtype == f32 ? 1e-10 : 1e-6)
        << target->name << " " << name(dtype) << " " << text(s);
}
static void checkGemm(const Target &target, DType dtype, MatmulShape s) { checkGemm(std::array{&target}, dtype, s); }

TEST_P(GemmTest, AgreesWithTheOracle) {
  for (DType dtype : floatTypes)
    for (MatmulShape s : {MatmulShape{1, 576, 576}, {7, 192, 576}, {64, 96, 128}, {9, 33, 65}, {1, 1, 1}, {17, 31, 7}})
      checkGemm(target(), dtype, s);
}

// Packed by its own op, a B in panels gives the same bits as B itself.
TEST_P(GemmTest, PanelsChangeNoBit) {
  for (DType dtype : floatTypes)
    for (MatmulShape s : {MatmulShape{7, 192, 64}, {13, 33, 65}, {1, 5, 9}}) {
      int64_t panel = ops::Gemm{}.defaultConfig(target()).bn, panels = (s.n + panel - 1) / panel;
      std::vector<float> b = rounded(dtype, randomFloats(s.k * s.n, 2));
      Argument packed = Argument::out(dtype, {panels, s.k, panel}), c = Argument::out(f32, {s.m, s.n});
      ops::Pack pack{dtype, int(panel)};
      launch(target(), trace(pack, pack.defaultConfig(target())), {Argument::in(dtype, {s.k, s.n}, b), packed});
      EXPECT_EQ(widen(packed.floats()), reference::pack(s.n, s.k, panel, widen(b))) << text(s);
      ops::Gemm op{.in = dtype, .out = f32, .panel = int(panel)};
      launch(target(), trace(op, op.defaultConfig(target(), s.m)),
             {Argument::in(dtype, {s.m, s.k}, randomFloats(s.m * s.k, 1)), packed, c});
      ops::Gemm plain{.in = dtype, .out = f32};
      EXPECT_EQ(c.floats(), runGemm(target(), plain, s, plain.defaultConfig(target(), s.m))) << text(s);
    }
}

// B with k in groups gives the same bits as B itself (on a GPU its step takes another operation: the same value).
TEST_P(GemmTest, GroupsOfKChangeNoBit) {
  for (MatmulShape s : {MatmulShape{7, 192, 64}, {13, 33, 66}, {1, 5, 10}}) {
    ops::Gemm plain{.in = bf16, .out = f32};
    int panel = plain.defaultConfig(target()).bn;
    int64_t panels = (s.n + panel - 1) / panel;
    std::vector<float> b = rounded(bf16, randomFloats(s.k * s.n, 2));
    Argument packed = Argument::out(bf16, {panels, s.k / 2, panel * 2}), c = Argument::out(f32, {s.m, s.n});
    ops::Pack pack{bf16, panel, 2};
    launch(target(), trace(pack, pack.defaultConfig(target())), {Argument::in(bf16, {s.k, s.n}, b), packed});
    ops::Gemm op{.in = bf16, .out = f32, .panel = panel, .kGroup = 2};
    launch(target(), trace(op, op.defaultConfig(target(), s.m)),
           {Argument::in(bf16, {s.m, s.k}, randomFloats(s.m * s.k, 1)), packed, c});
    std::vector<float> want = runGemm(target(), plain, s, plain.defaultConfig(target(), s.m));
    if (target().vendor == Vendor::cpu)
      EXPECT_EQ(c.floats(), want) << text(s);
    else
      EXPECT_LE(reference::nmse(c.floats(), widen(want)), 1e-10) << text(s);
  }
}

// u8 by i8 is exact, plain and in panels with k in fours, at the ends of both ranges too.
TEST_P(GemmTest, BytesAreExact) {
  for (MatmulShape s : {MatmulShape{7, 96, 64}, {13, 33, 36}, {1, 5, 12}, {16, 16, 1024}}) {
    std::vector<uint8_t> a(s.m * s.k);
    std::vector<int8_t> b(s.k * s.n);
    for (size_t i = 0; i < a.size(); ++i)
      a[i] = uint8_t(i % 7 ? i * 37 : 255);
    for (size_t i = 0; i < b.size(); ++i)
      b[i] = int8_t(i % 5 ? i * 101 : i % 2 ? 127 : -128);
    std::vector<int32_t> want(s.m * s.n);
    for (int64_t m = 0; m < s.m; ++m)
      for (int64_t n = 0; n < s.n; ++n)
        for (int64_t k = 0; k < s.k; ++k)
          want[m * s.n + n] += int32_t(a[m * s.k + k]) * b[k * s.n + n];
    Argument A = Argument::packed(u8, {s.m, s.k}, std::as_bytes(std::span(a))),
             B = Argument::packed(i8, {s.k, s.n}, std::as_bytes(std::span(b)));
    ops::Gemm plain{.in = u8, .out = i32};
    Argument c = Argument::out(i32, {s.m, s.n});
    launch(target(), trace(plain, plain.defaultConfig(target(), s.m)), {A, B, c});
    EXPECT_EQ(c.as<int32_t>(), want) << text(s);

    int panel = plain.defaultConfig(target()).bn;
    int64_t panels = (s.n + panel - 1) / panel;
    Argument packed = Argument::out(i8, {panels, s.k / 4, panel * 4}), d = Argument::out(i32, {s.m, s.n});
    ops::Pack pack{i8, panel, 4};
    launch(target(), trace(pack, pack.defaultConfig(target())), {B, packed});
    ops::Gemm op{.in = u8, .out = i32, .panel = panel, .kGroup = 4};
    launch(target(), trace(op, op.defaultConfig(target(), s.m)), {A, packed, d});
    EXPECT_EQ(d.as<int32_t>(), want) << text(s) << " in panels";
  }
}

// Calls check(shape) for every shape of the grid.
template <class Check> static void eachGridShape(Check check) {
  std::pair<int64_t, int64_t> models[] = {{576, 576},    {1536, 576},  {576, 1536},   {4096, 4096}, {14336, 4096},
                                          {4096, 14336}, {1024, 4096}, {3584, 18944}, {8192, 1024}, {4224, 4160}};
  for (auto [n, k] : models)
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 25, 32, 64, 93, 128, 172, 257, 289, 492, 952})
      if (m <= 17 || n * k <= 1536 * 576 || (m == 257 && n == 4224)) // the oracle is what takes long
        check(MatmulShape{m, n, k});
}
static std::vector<const Target *> having(std::vector<const Target *> targets, std::string_view feature) {
  std::erase_if(targets, [&](const Target *row) { return !row->has(feature); });
  return targets;
}
TEST(GemmGrid, DISABLED_Floats) {
  for (DType dtype : floatTypes)
    eachGridShape([&](MatmulShape s) { checkGemm(gridTargets(), dtype, s); });
}
TEST(GemmGrid, DISABLED_EightBitFloats) {
  const std::vector<const Target *> targets = having(gridTargets(), "fp8");
  if (targets.empty())
    GTEST_SKIP() << "no target of this run multiplies fp8";
  for (DType dtype : {e4m3, e5m2})
    eachGridShape([&](MatmulShape s) { checkGemm(targets, dtype, s); });
}
// Operands rounded to 10 bits of mantissa, as those of f16 have: its bound.
TEST(GemmGrid, DISABLED_Tf32) {
  const std::vector<const Target *> targets = having(gridTargets(), "tf32_mma");
  if (targets.empty())
    GTEST_SKIP() << "no target of this run multiplies tf32";
  ops::Gemm op{.in = f32, .out = f32, .precision = dsl::Precision::tf32};
  eachGridShape([&](MatmulShape s) {
    std::vector<float> a = randomFloats(s.m * s.k, 1), b = randomFloats(s.k * s.n, 2);
    std::vector<double> oracle = reference::gemm<double>(s, widen(a), widen(b));
    for (const Target *target : targets)
      EXPECT_LE(reference::nmse(runGemm(*target, op, s, op.defaultConfig(*target, s.m)), oracle), 1e-6)
          << target->name << " " << text(s);
  });
}
// B by rows and by columns.
TEST(GemmGrid, DISABLED_Bytes) {
  eachGridShape([](MatmulShape s) {
    std::mt19937 random(uint32_t(s.m + s.k));
    std::vector<int8_t> a(s.m * s.k), b(s.k * s.n), columns(s.k * s.n);
    for (std::vector<int8_t> *x : {&a, &b})
      std::ranges::generate(*x, [&] { return int8_t(random()); });
    for (int64_t k = 0; k < s.k; ++k)
      for (int64_t n = 0; n < s.n; ++n)
        columns[n * s.k + k] = b[k * s.n + n];
    std::vector<double> exact =
        reference::gemm<double>(s, std::vector<double>(a.begin(), a.end()), std::vector<double>(b.begin(), b.end()));
    for (const Target *target : gridTargets())
      for (bool transposed : {false, true}) {
        ops::Gemm op{.in = i8, .out = i32, .transposed = transposed};
        Argument c = Argument::out(i32, {s.m, s.n});
        launch(*target, trace(op, op.defaultConfig(*target, s.m)),
               {Argument::in({s.m, s.k}, a),
                transposed ? Argument::in({s.n, s.k}, columns) : Argument::in({s.k, s.n}, b), c});
        std::vector<int32_t> sums = c.as<int32_t>();
        EXPECT_EQ(std::vector<double>(sums.begin(), sums.end()), exact)
            << target->name << " " << text(s) << (transposed ? " transposed" : "");
      }
  });
}

TEST_P(GemmTest, NarrowOutputsAreTheRoundedWideOnes) {
  for (DType dtype : {f16, bf16}) {
    ops::Gemm wide{.in = dtype, .out = f32}, narrow{.in = dtype, .out = dtype};
    MatmulShape s{9, 65, 96};
    EXPECT_EQ(runGemm(target(), narrow, s, {}), rounded(dtype, runGemm(target(), wide, s, {}))) << name(dtype);
  }
}

TEST_P(GemmTest, AppliesTheEpilogueBeforeItNarrows) {
  ops::Gemm op{.epilogue = [](dsl::Tile acc, dsl::Range n) { return dsl::max(acc, 0.0) + n.row().to(f32) * 0.5; }};
  MatmulShape s{5, 40, 24};
  std::vector<float> plain = runGemm(target(), {}, s, {}), fused = runGemm(target(), op, s, {});
  for (int64_t i = 0; i < s.m * s.n; ++i)
    ASSERT_FLOAT_EQ(fused[i], std::max(plain[i], 0.0f) + float(i % s.n) * 0.5f) << i;
}

TEST_P(GemmTest, HasTheSameBitsForEveryBlocking) {
  MatmulShape s{13, 70, 90};
  std::vector<float> first = runGemm(target(), {}, s, {.bm = 8, .bn = 32, .bk = 8});
  for (ops::Gemm::Config config : {ops::Gemm::Config{1, 32, 8}, {4, 16, 8}, {3, 32, 16}, {12, 32, 4}})
    EXPECT_EQ(runGemm(target(), {}, s, config), first) << configText(config);
}

// B as a `transposed` gemm takes it.
static std::vector<float> turned(const std::vector<float> &b, MatmulShape s) {
  std::vector<float> rows(b.size());
  for (int64_t k = 0; k < s.k; ++k)
    for (int64_t n = 0; n < s.n; ++n)
      rows[n * s.k + k] = b[k * s.n + n];
  return rows;
}

static constexpr MatmulShape narrowShapes[] = {{64, 96, 128}, {7, 192, 96}, {33, 40, 50}, {1, 1, 3}};

// Sums of bytes are exact in i32, and scales apply to them in f32.
TEST_P(GemmTest, BytesAreSummedExactly) {
  for (bool transposed : {false, true})
    for (MatmulShape s : narrowShapes) {
      std::mt19937 random(uint32_t(s.m + s.k));
      std::vector<int8_t> a(s.m * s.k), b(s.k * s.n);
      for (std::vector<int8_t> *x : {&a, &b})
        std::ranges::generate(*x, [&] { return int8_t(random()); });
      std::vector<float> wide(b.begin(), b.end()), rows = transposed ? turned(wide, s) : wide;
      std::vector<int8_t> given(rows.begin(), rows.end());
      ops::Gemm op{.in = i8, .out = i32, .transposed = transposed};
      Argument c = Argument::out(i32, {s.m, s.n});
      Shape shape = transposed ? Shape{s.n, s.k} : Shape{s.k, s.n};
      launch(target(), trace(op, op.defaultConfig(target())),
             {Argument::in({s.m, s.k}, a), Argument::in(shape, given), c});
      std::vector<double> exact = reference::gemm<double>(s, std::vector<double>(a.begin(), a.end()), widen(wide));
      std::vector<int32_t> sums = c.as<int32_t>();
      EXPECT_EQ(std::vector<double>(sums.begin(), sums.end()), exact) << text(s) << (transposed ? " transposed" : "");

      ops::Gemm scaling{.in = i8, .out = f32, .transposed = transposed, .scaled = true};
      std::vector<float> row = randomFloats(s.m, 8), column = randomFloats(s.n, 9);
      Argument scaled = Argument::out(f32, {s.m, s.n});
      launch(target(), trace(scaling, scaling.defaultConfig(target())),
             {Argument::in({s.m, s.k}, a), Argument::in(shape, given), Argument::in(f32, {s.m}, row),
              Argument::in(f32, {s.n}, column), scaled});
      std::vector<float> values = scaled.floats();
      for (int64_t i = 0; i < s.m * s.n; ++i)
        ASSERT_EQ(values[i], float(exact[i]) * row[i / s.n] * column[i % s.n]) << text(s) << " " << i;
    }
}

TEST_P(GemmTest, EightBitFloatsAgreeWithTheOracle) {
  if (!target().has("fp8"))
    GTEST_SKIP() << "refused: see tests/errors";
  for (DType dtype : {e4m3, e5m2})
    for (bool transposed : {false, true})
      for (MatmulShape s : narrowShapes) {
        ops::Gemm op{.in = dtype, .out = f32, .transposed = transposed};
        std::vector<float> a = randomFloats(s.m * s.k, 1), b = randomFloats(s.k * s.n, 2);
        Argument c = Argument::out(f32, {s.m, s.n});
        launch(target(), trace(op, op.defaultConfig(target())),
               {Argument::in(dtype, {s.m, s.k}, a),
                Argument::in(dtype, transposed ? Shape{s.n, s.k} : Shape{s.k, s.n}, transposed ? turned(b, s) : b), c});
        EXPECT_LE(
            reference::nmse(c.floats(), reference::gemm<double>(s, widen(rounded(dtype, a)), widen(rounded(dtype, b)))),
            1e-6)
            << name(dtype) << " " << text(s) << (transposed ? " transposed" : "");
      }
}

// Operands of 10 bits of mantissa are within 2^-11 of themselves, so a product is within 2^-10.
TEST_P(GemmTest, Tf32IsWithinItsRounding) {
  for (MatmulShape s : narrowShapes) {
    ops::Gemm op{.in = f32, .out = f32, .precision = dsl::Precision::tf32};
    std::vector<float> c = runGemm(target(), op, s, op.defaultConfig(target(), s.m));
    std::vector<double> a = widen(randomFloats(s.m * s.k, 1)), b = widen(randomFloats(s.k * s.n, 2)), sizes[] = {a, b};
    for (std::vector<double> &values : sizes)
      std::ranges::transform(values, values.begin(), [](double x) { return std::fabs(x); });
    std::vector<double> exact = reference::gemm<double>(s, a, b), most = reference::gemm<double>(s, sizes[0], sizes[1]);
    double unit = target().has("tf32_mma") ? 0x1p-10 : 0x1p-20, worst = 0;
    for (int64_t i = 0; i < s.m * s.n; ++i)
      worst = std::max(worst, std::fabs(c[i] - exact[i]) / most[i]);
    EXPECT_LE(worst, unit * 1.01) << text(s);
  }
}

// ---- weights as files store them ----

static reference::PackedMatrix randomWeights(DType format, int64_t rows, int64_t columns, uint32_t seed) {
  return reference::fromFile(format, rows, columns, reference::randomFile(format, rows, columns, seed));
}

struct QuantCase {
  std::vector<float> activations;
  reference::Quantized quantized;
  reference::PackedMatrix weights;
  Argument panels; // of them
};
static int64_t groupOf(DType format) { return info(format).packed->group; }
static QuantCase quantCase(DType format, MatmulShape s) {
  QuantCase c{randomFloats(s.m * s.k, 3), {}, randomWeights(format, s.n, s.k, 4), {}};
  c.quantized = reference::quantize(c.activations, s.k, groupOf(format));
  c.panels = Argument::packed(format, {s.n, s.k}, reference::toPanels(c.weights));
  return c;
}

static std::vector<float> runPacked(const Target &target, const QuantCase &c, MatmulShape s,
                                    std::optional<ops::QuantMatmul::Config> config = {}) {
  ops::QuantMatmul op{.weight = c.weights.format};
  auto head = [](auto &values, int64_t count) { return std::span(values).first(size_t(count)); }; // the first m rows
  Argument out = Argument::out(f32, {s.m, s.n});
  int64_t groups = s.k / groupOf(c.weights.format);
  launch(target, trace(op, config.value_or(op.defaultConfig(target, s.m))),
         {Argument::in({s.m, s.k}, head(c.quantized.codes, s.m * s.k)),
          Argument::in(f32, {s.m, groups}, head(c.quantized.scale, s.m * groups)),
          Argument::in({s.m, groups}, head(c.quantized.sum, s.m * groups)), c.panels, out});
  return out.floats();
}

static MatmulShape wholeBlocks(DType format, MatmulShape s) {
  const int64_t block = info(format).packed->block;
  s.k = std::max<int64_t>(s.k / block, 1) * block;
  return s;
}

static void checkPacked(std::span<const Target *const> targets, const QuantCase &c, std::span<const double> w,
                        MatmulShape s) {
  DType format = c.weights.format;
  std::vector<double> oracle = reference::matmulTransposed<double>(s, c.quantized.values, w), exact;
  if (s.n > 1) // one output alone may cancel to nearly nothing, and then any rounding of the activations is large
    exact = reference::matmulTransposed<double>(s, widen(c.activations), w);
  for (const Target *target : targets) {
    std::vector<float> out = runPacked(*target, c, s);
    EXPECT_LE(reference::nmse(out, oracle), 1e-9)
        << target->name << " " << name(format) << " " << text(s) << " against quantized activations";
    if (s.n > 1)
      EXPECT_LE(reference::nmse(out, exact), 5e-4)
          << target->name << " " << name(format) << " " << text(s) << " against exact activations";
  }
}
static void checkPacked(const Target &target, DType format, MatmulShape s) {
  s = wholeBlocks(format, s);
  QuantCase c = quantCase(format, s);
  checkPacked(std::array{&target}, c, widen(c.weights.values()), s);
}

// Halves against weights that become halves, one rounding each: 2^-11 and 2^-9 of themselves.
static void checkHalves(std::span<const Target *const> targets, DType activations, DType weight, const Argument &panels,
                        std::span<const double> w, MatmulShape s) {
  if (targets.empty())
    return;
  ops::QuantMatmul op{.weight = weight, .activations = activations};
  Argument a = Argument::in(activations, {s.m, s.k}, randomFloats(s.m * s.k, 3));
  std::vector<double> oracle = reference::matmulTransposed<double>(s, widen(a.floats()), w);
  for (const Target *target : targets) {
    Argument out = Argument::out(f32, {s.m, s.n});
    launch(*target, trace(op, op.defaultConfig(*target, s.m)), {a, panels, out});
    EXPECT_LE(reference::nmse(out.floats(), oracle), activations == f16 ? 1e-6 : 1e-5)
        << target->name << " " << name(weight) << " " << name(activations) << " " << text(s);
  }
}

// Weights of a float type as the op takes them: rows one after the other, or panels.
static Argument denseWeights(DType weight, int64_t rows, int64_t columns) {
  std::vector<float> values = randomFloats(rows * columns, 6);
  if (!isPacked(weight))
    return Argument::in(weight, {rows, columns}, values);
  return Argument::packed(weight, {rows, columns}, reference::valuePanels(weight, rows, columns, values));
}

static std::vector<float> runDense(const Target &target, DType weight, MatmulShape s, ops::QuantMatmul::Config config) {
  Argument out = Argument::out(f32, {s.m, s.n});
  // One stream of activations for every m: row i of a small case is row i of a large one.
  std::vector<float> a = randomFloats(64 * s.k, 5);
  launch(target, trace(ops::QuantMatmul{.weight = weight}, config),
         {Argument::in(f32, {s.m, s.k}, std::span(a).first(size_t(s.m * s.k))), denseWeights(weight, s.n, s.k), out});
  return out.floats();
}

static constexpr DType packedFormats[] = {q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k};
static constexpr DType denseFormats[] = {f32, f16, bf16, panel_f32, panel_f16, panel_bf16};

TEST_P(QuantMatmulTest, AgreesWithTheOracle) {
  for (DType format : packedFormats)
    for (MatmulShape s :
         {MatmulShape{1, 576, 576}, {1, 100, 1536}, {2, 40, 64}, {8, 192, 96}, {13, 33, 32}, {1, 1, 32}})
      checkPacked(target(), format, s);
}

// W4A16 and W8A16: halves against weights that become halves, one rounding each.
TEST_P(QuantMatmulTest, TakesHalvesAsActivations) {
  for (DType activations : {f16, bf16})
    for (DType weight : {q4_1, q4_0, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k, f16})
      for (MatmulShape s : {MatmulShape{33, 70, 96}, {1, 40, 64}}) {
        bool quantized = isQuantized(weight);
        bool widened = target().vendor == Vendor::cpu || (activations == bf16 && !target().has("bf16"));
        if (widened && (weight != q4_1 || activations != bf16 || s.m == 1)) // then as with f32
          continue;
        s = quantized ? wholeBlocks(weight, s) : s;
        reference::PackedMatrix packed = quantized ? randomWeights(weight, s.n, s.k, 4) : reference::PackedMatrix();
        Argument w = quantized ? Argument::packed(weight, {s.n, s.k}, reference::toPanels(packed))
                               : Argument::in(weight, {s.n, s.k}, randomFloats(s.n * s.k, 4));
        checkHalves(std::array{&target()}, activations, weight, w, widen(quantized ? packed.values() : w.floats()), s);
      }
}

// Nor does a row of halves tell how many others there were, though tensor cores take 16 at a time.
TEST_P(QuantMatmulTest, ARowOfHalvesHasTheSameBitsInEveryBatch) {
  if (target().vendor == Vendor::cpu)
    GTEST_SKIP() << "halves are widened on the CPU";
  for (DType weight : {q4_1, q6_k}) {
    MatmulShape all{40, 72, 512};
    std::vector<float> a = randomFloats(all.m * all.k, 3), whole;
    reference::PackedMatrix packed = randomWeights(weight, all.n, all.k, 4);
    for (auto [m, config] :
         {std::pair<int64_t, ops::QuantMatmul::Config>{40, {64, 64}}, {40, {16, 32}}, {3, {16, 64}}}) {
      Argument c = Argument::out(f32, {m, all.n});
      launch(target(), trace(ops::QuantMatmul{.weight = weight, .activations = f16}, config),
             {Argument::in(f16, {m, all.k}, std::span(a).first(size_t(m * all.k))),
              Argument::packed(weight, {all.n, all.k}, reference::toPanels(packed)), c});
      std::vector<float> part = c.floats();
      if (whole.empty())
        whole = part;
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()))
          << name(weight) << " m=" << m << " " << configText(config);
    }
  }
}

// Activations in 8 bits and, where a GPU takes them, in halves.
TEST(QuantMatmulGrid, DISABLED_EveryTarget) {
  std::vector<const Target *> all = gridTargets(), gpus = all;
  std::erase_if(gpus, [](const Target *row) { return row->vendor == Vendor::cpu; });
  for (DType format : packedFormats) {
    std::vector<MatmulShape> shapes{
        {1, 8192, 28672}, {13, 8192, 4096}, {26, 4096, 8192}, {64, 8192, 28672}, {257, 128, 4096}};
    for (auto [n, k] : {std::pair<int64_t, int64_t>{576, 576}, {1536, 576}, {576, 1536}, {192, 576}, {257, 4160}})
      for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 25, 32, 64, 93, 128, 172, 289})
        shapes.push_back({m, n, k});
    for (MatmulShape s : shapes) {
      s = wholeBlocks(format, s);
      QuantCase c = quantCase(format, s);
      std::vector<double> w = widen(c.weights.values());
      checkPacked(all, c, w, s);
      checkHalves(gpus, f16, format, c.panels, w, s);
      checkHalves(having(gpus, "bf16"), bf16, format, c.panels, w, s);
    }
  }
}

TEST_P(QuantMatmulTest, DenseWeightsAgreeWithTheOracle) {
  for (DType weight : denseFormats)
    for (MatmulShape s : {MatmulShape{1, 576, 576}, {3, 70, 100}, {9, 33, 65}, {16, 64, 64}}) {
      ops::QuantMatmul op{.weight = weight};
      std::vector<float> out = runDense(target(), weight, s, op.defaultConfig(target(), s.m));
      std::vector<float> a = randomFloats(64 * s.k, 5);
      a.resize(s.m * s.k);
      std::vector<double> w =
          widen(rounded(isPacked(weight) ? info(weight).packed->element : weight, randomFloats(s.n * s.k, 6)));
      EXPECT_LE(reference::nmse(out, reference::matmulTransposed<double>(s, widen(a), w)), 1e-10)
          << name(weight) << text(s);
    }
}

// Programs of half a panel's rows, whose vectors begin within one.
TEST_P(QuantMatmulTest, PartsOfAPanelChangeNoBit) {
  for (DType format : {q4_1, q6_k}) {
    MatmulShape s{1, 40, info(format).packed->twoLevels() ? 512 : 96};
    QuantCase c = quantCase(format, s);
    EXPECT_EQ(runPacked(target(), c, s, ops::QuantMatmul::Config{1, 8}), runPacked(target(), c, s)) << name(format);
  }
}

// What batch invariance means: nobody can tell from a row how many others it was computed with.
TEST_P(QuantMatmulTest, ARowHasTheSameBitsInEveryBatchAndBlocking) {
  for (DType format : packedFormats) {
    MatmulShape all{17, 72, info(format).packed->twoLevels() ? 512 : 160};
    QuantCase c = quantCase(format, all);
    std::vector<float> whole = runPacked(target(), c, all);
    for (int64_t m : {1, 4, 9})
      for (ops::QuantMatmul::Config config : {ops::QuantMatmul::Config{1, 64}, {8, 32}, {4, 16}, {2, 64}}) {
        std::vector<float> part = runPacked(target(), c, {m, all.n, all.k}, config);
        ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin()))
            << name(format) << " m=" << m << " " << configText(config);
      }
  }
  MatmulShape all{17, 72, 150};
  for (DType weight : {f16, panel_f16, panel_bf16}) {
    std::vector<float> whole = runDense(target(), weight, all, {8, 32, 16});
    for (int64_t m : {1, 5})
      for (ops::QuantMatmul::Config config : {ops::QuantMatmul::Config{1, 64, 16}, {4, 32, 8}}) {
        std::vector<float> part = runDense(target(), weight, {m, all.n, all.k}, config);
        ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin()))
            << name(weight) << " m=" << m << " " << configText(config);
      }
  }
}
