// The norms beyond a plain RmsNorm, against their oracles.
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "ops/rms_norm.h"
#include "tests/conformance/on_target.h"
#include <algorithm>
#include <cmath>

using namespace tessera;
using namespace tessera::conformance;

class NormsTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, NormsTest, testing::ValuesIn(runnableTargets()), targetName);

namespace {

struct Rows {
  int64_t rows, columns;
};

// Inputs away from zero, so that a mean matters.
std::vector<float> shifted(int64_t count, uint32_t seed) {
  std::vector<float> x = randomFloats(count, seed);
  for (float &v : x)
    v += 3;
  return x;
}

std::vector<float> runLayerNorm(const Target &target, Rows s, const ops::LayerNorm &op, const std::vector<float> &x,
                                const Argument &residual) {
  Argument y = Argument::out(f32, {s.rows, s.columns});
  std::vector<Argument> arguments{Argument::in(f32, {s.rows, s.columns}, x)};
  if (op.residual)
    arguments.push_back(residual);
  arguments.push_back(Argument::in(f32, {s.columns}, randomFloats(s.columns, 2)));
  if (op.bias)
    arguments.push_back(Argument::in(f32, {s.columns}, randomFloats(s.columns, 4)));
  arguments.push_back(y);
  arguments.push_back(Argument::scalar(1e-5));
  launch(target, trace(op, op.defaultConfig(target)), std::move(arguments));
  return y.floats();
}

void checkLayerNorm(const Target &target, Rows s) {
  for (bool bias : {false, true})
    for (bool fused : {false, true}) {
      std::vector<float> x = shifted(s.rows * s.columns, 1), r = randomFloats(s.rows * s.columns, 3);
      Argument residual = Argument::inOut(f32, {s.rows, s.columns}, r);
      std::vector<float> y = runLayerNorm(target, s, {bias, fused}, x, residual);
      if (fused) {
        for (size_t i = 0; i < x.size(); ++i)
          x[i] += r[i];
        EXPECT_EQ(residual.floats(), x);
      }
      std::vector<float> w = randomFloats(s.columns, 2), b = randomFloats(bias ? s.columns : 0, 4);
      std::vector<double> oracle = reference::layerNorm<double>(widen(x), widen(w), widen(b), double(1e-5f));
      EXPECT_LE(reference::nmse(y, oracle), 1e-10)
          << s.rows << " x " << s.columns << (bias ? " bias" : "") << (fused ? " residual" : "");
    }
}

void checkRmsNorm(const Target &target, Rows s) {
  std::vector<float> x = randomFloats(s.rows * s.columns, 1), w = randomFloats(s.columns, 2, 0.1f);
  ops::RmsNorm op{.onePlus = true};
  Argument y = Argument::out(f32, {s.rows, s.columns});
  launch(target, trace(op, op.defaultConfig(target)),
         {Argument::in(f32, {s.rows, s.columns}, x), Argument::in(f32, {s.columns}, w), y, Argument::scalar(1e-6)});
  std::vector<double> weight = widen(w);
  for (double &v : weight)
    v += 1;
  EXPECT_LE(reference::nmse(y.floats(), reference::rmsNorm<double>(widen(x), weight, double(1e-6f))), 1e-10)
      << s.rows << " x " << s.columns;
}

void checkGroupNorm(const Target &target, const ops::GroupNorm &op, int64_t rows, int64_t channels, int64_t run) {
  Shape shape = op.spatial ? Shape{rows, channels, run} : Shape{rows, channels};
  std::vector<float> x = shifted(rows * channels * run, 1), w = randomFloats(channels, 2),
                     b = randomFloats(channels, 4);
  Argument y = Argument::out(f32, shape);
  launch(target, trace(op, op.defaultConfig(target)),
         {Argument::in(f32, shape, x), Argument::in(f32, {channels}, w), Argument::in(f32, {channels}, b), y,
          Argument::scalar(1e-5)});
  std::vector<double> oracle =
      reference::groupNorm<double>({size_t(op.groups), size_t(run)}, widen(x), widen(w), widen(b), double(1e-5f));
  EXPECT_LE(reference::nmse(y.floats(), oracle), 1e-10) << op.groups << " groups of " << channels << " x " << run;
}

} // namespace

TEST_P(NormsTest, LayerNorm) {
  for (Rows s : {Rows{1, 576}, {19, 111}, {3, 1024}, {2, 1}, {5, 4096}})
    checkLayerNorm(target(), s);
}
TEST_P(NormsTest, LayerNormOfARowDoesNotDependOnTheOthers) {
  std::vector<float> x = shifted(33 * 500, 1);
  std::vector<float> many = runLayerNorm(target(), {33, 500}, {}, x, {});
  x.resize(500);
  std::vector<float> one = runLayerNorm(target(), {1, 500}, {}, x, {});
  EXPECT_TRUE(std::equal(one.begin(), one.end(), many.begin()));
}
TEST_P(NormsTest, LayerNormOfAConstantRowIsItsBias) {
  std::vector<float> y = runLayerNorm(target(), {1, 40}, {}, std::vector<float>(40, 1024.0f), {});
  EXPECT_EQ(y, randomFloats(40, 4));
}
TEST_P(NormsTest, RmsNormWithOnePlusItsWeight) {
  for (Rows s : {Rows{1, 576}, {19, 111}, {4, 640}})
    checkRmsNorm(target(), s);
}
TEST_P(NormsTest, RmsNormOfHeads) { // query and key norms: a row is a head
  for (Rows s : {Rows{9, 64}, {7 * 4, 256}, {3, 80}})
    checkRmsNorm(target(), s);
}
TEST_P(NormsTest, GroupNorm) {
  checkGroupNorm(target(), {.groups = 32}, 3, 2048, 1);
  checkGroupNorm(target(), {.groups = 3}, 19, 111, 1);
  checkGroupNorm(target(), {.groups = 1}, 2, 7, 1);
  checkGroupNorm(target(), {.groups = 4, .spatial = true}, 2, 12, 49);
  checkGroupNorm(target(), {.groups = 5, .spatial = true}, 3, 5, 100);
}
TEST_P(NormsTest, DISABLED_FullGrid) {
  for (int64_t d : {111, 500, 576, 1024, 3072, 3584, 4096, 8192, 16384})
    for (int64_t rows : {1, 19, 99, 989}) {
      checkLayerNorm(target(), {rows, d});
      checkRmsNorm(target(), {rows, d});
      for (int groups : {1, 4, 32})
        if (d % groups == 0)
          checkGroupNorm(target(), {.groups = groups}, rows, d, 1);
    }
}

// y = code · scale: a row's scale puts its largest value at the largest code, and every value is within half a step.
TEST_P(NormsTest, RmsNormQuantizesItsRows) {
  for (DType out : {i8, e4m3, e5m2})
    for (auto [rows, columns] : {Rows{3, 576}, {2, 111}, {5, 2048}}) {
      std::vector<float> x = randomFloats(rows * columns, 1), r = randomFloats(rows * columns, 3),
                         w = randomFloats(columns, 2);
      std::fill(x.begin(), x.begin() + columns, 0.0f), std::fill(r.begin(), r.begin() + columns, 0.0f);
      ops::RmsNorm op{.residual = true, .out = out};
      Argument sum = Argument::inOut(f32, {rows, columns}, r), y = Argument::out(out, {rows, columns}),
               scale = Argument::out(f32, {rows});
      launch(target(), trace(op, op.defaultConfig(target())),
             {Argument::in(f32, {rows, columns}, x), sum, Argument::in(f32, {columns}, w), y, scale,
              Argument::scalar(1e-5)});
      for (size_t i = 0; i < x.size(); ++i)
        x[i] += r[i];
      EXPECT_EQ(sum.floats(), x);
      std::vector<double> exact = reference::rmsNorm<double>(widen(x), widen(w), double(1e-5f));
      std::vector<int8_t> bytes = y.as<int8_t>();
      std::vector<float> codes = out == i8 ? std::vector<float>(bytes.begin(), bytes.end()) : y.floats();
      std::vector<float> scales = scale.floats();
      double largest = out == i8 ? 127 : out == e4m3 ? 448 : 57344, half = out == e4m3 ? 0x1p-4 : 0x1p-3;
      for (int64_t t = 0; t < rows; ++t) {
        double most = 0;
        for (int64_t j = 0; j < columns; ++j)
          most = std::max(most, std::abs(exact[t * columns + j]));
        EXPECT_NEAR(scales[t], most / largest, most / largest * 1e-6);
        for (int64_t j = 0; j < columns; ++j) {
          double value = exact[t * columns + j], step = scales[t] * (out == i8 ? 0.5 : out == e4m3 ? 0x1p-10 : 0x1p-17);
          double bound = std::max(step, out == i8 ? 0 : std::abs(value) * half) * (1 + 1e-4) + most * 1e-6;
          ASSERT_LE(std::abs(codes[t * columns + j] * scales[t] - value), bound) << name(out) << " " << t << " " << j;
        }
      }
    }
}

TEST_P(NormsTest, RmsNormRoundsToHalves) {
  int64_t rows = 3, columns = 576;
  std::vector<float> x = randomFloats(rows * columns, 1), w = randomFloats(columns, 2);
  auto run = [&](DType out) {
    ops::RmsNorm op{.out = out};
    Argument y = Argument::out(out, {rows, columns});
    launch(target(), trace(op, op.defaultConfig(target())),
           {Argument::in(f32, {rows, columns}, x), Argument::in(f32, {columns}, w), y, Argument::scalar(1e-5)});
    return y.floats();
  };
  for (DType out : {f16, bf16})
    EXPECT_EQ(run(out), reference::decode(out, reference::encode(out, run(f32)))) << name(out);
}
