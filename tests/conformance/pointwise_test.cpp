// The ops that treat every element alone, against their oracles.
#include "dsl/trace.h"
#include "ops/gelu_and_mul.h"
#include "ops/pointwise.h"
#include "ops/reference/error.h"
#include "ops/reference/reference.h"
#include "tests/conformance/on_target.h"
#include <bit>
#include <cmath>

using namespace tessera;
using namespace tessera::conformance;

class PointwiseTest : public OnTarget {
protected:
  template <class Op> bool run(const Op &op, std::vector<Argument> arguments) {
    return launch(target(), trace(op, op.defaultConfig(target())), std::move(arguments));
  }
  template <class Op> std::vector<float> map(const Op &op, Shape shape, const std::vector<float> &x) {
    Argument y = Argument::out(f32, shape);
    run(op, {Argument::in(f32, shape, x), y});
    return y.floats();
  }
};
INSTANTIATE_TEST_SUITE_P(, PointwiseTest, testing::ValuesIn(runnableTargets()), targetName);

static const Shape shapes[] = {{1, 1536}, {7, 100}, {2, 1}, {33, 576}};

TEST_P(PointwiseTest, Activations) {
  for (const Shape &s : shapes) {
    std::vector<float> x = randomFloats(s[0] * s[1], 9, 3);
    EXPECT_LE(reference::nmse(map(ops::Silu{}, s, x), reference::map(widen(x), reference::silu)), 1e-10);
    EXPECT_LE(reference::nmse(map(ops::Gelu{}, s, x), reference::map(widen(x), reference::gelu)), 1e-10);
    EXPECT_LE(reference::nmse(map(ops::Gelu{{}, true}, s, x), reference::map(widen(x), reference::geluTanh)), 1e-10);
  }
}
// Below zero a gelu is the difference of nearly equal numbers if it is computed carelessly.
TEST_P(PointwiseTest, GeluIsExactInItsTail) {
  std::vector<float> x;
  for (int i = -900; i <= 900; ++i)
    x.push_back(float(i) / 100);
  std::vector<float> y = map(ops::Gelu{}, {1, int64_t(x.size())}, x);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(y[i], reference::gelu(x[i]), 2e-5 * std::fabs(reference::gelu(x[i]))) << x[i];
}
TEST_P(PointwiseTest, ActivationsSaturateWithoutNaN) {
  std::vector<float> x{-1000, -90, -1e30f, 0, 90, 1e30f};
  for (const std::vector<float> &y :
       {map(ops::Silu{}, {1, 6}, x), map(ops::Gelu{}, {1, 6}, x), map(ops::Gelu{{}, true}, {1, 6}, x)}) {
    for (int i = 0; i < 3; ++i)
      EXPECT_NEAR(y[i], 0, 1e-7) << x[i];
    EXPECT_EQ(y[3], 0);
    EXPECT_EQ(y[4], 90);
    EXPECT_EQ(y[5], 1e30f);
  }
}
TEST_P(PointwiseTest, GeluAndMul) {
  for (const Shape &s : shapes)
    for (bool tanh : {false, true}) {
      std::vector<float> x = randomFloats(s[0] * s[1] * 2, 9, 3);
      Argument y = Argument::out(f32, s);
      run(ops::GeluAndMul{.tanh = tanh}, {Argument::in(f32, {s[0], 2 * s[1]}, x), y});
      std::vector<double> oracle = reference::geluAndMul(widen(x), s[1], tanh);
      EXPECT_LE(reference::nmse(y.floats(), oracle), 1e-10) << s[0] << " x " << s[1] << (tanh ? " tanh" : "");
    }
}
TEST_P(PointwiseTest, AddAddsRowsOrOneRowToAll) {
  for (const Shape &s : shapes)
    for (bool bias : {false, true}) {
      std::vector<float> r = randomFloats(s[0] * s[1], 1), x = randomFloats(bias ? s[1] : s[0] * s[1], 2);
      Argument sum = Argument::inOut(f32, s, r);
      run(ops::Add{{}, bias}, {Argument::in(f32, bias ? Shape{s[1]} : s, x), sum});
      for (size_t i = 0; i < r.size(); ++i)
        r[i] += x[i % x.size()];
      EXPECT_EQ(sum.floats(), r); // one addition has one right answer
    }
}
TEST_P(PointwiseTest, ScaleMultiplies) {
  for (const Shape &s : shapes) {
    std::vector<float> x = randomFloats(s[0] * s[1], 1);
    Argument inOut = Argument::inOut(f32, s, x);
    run(ops::Scale{}, {inOut, Argument::scalar(25.25)});
    for (float &v : x)
      v *= 25.25f;
    EXPECT_EQ(inOut.floats(), x);
  }
}
TEST_P(PointwiseTest, SoftCapBoundsItsValues) {
  for (const Shape &s : shapes)
    for (double cap : {1.0, 30.0, 50.0}) {
      std::vector<float> x = randomFloats(s[0] * s[1], 1, 20);
      x[0] = 1e30f;
      Argument inOut = Argument::inOut(f32, s, x);
      run(ops::SoftCap{}, {inOut, Argument::scalar(cap)});
      std::vector<double> oracle = reference::map(widen(x), [&](double v) { return reference::softCap(v, cap); });
      EXPECT_LE(reference::nmse(inOut.floats(), oracle), 1e-10) << cap;
      EXPECT_EQ(inOut.floats()[0], float(cap));
    }
}

static std::vector<float> exp2On(const Target &target, const std::vector<float> &x) {
  int64_t count = int64_t(x.size());
  auto program = traceKernel("powers", "", [](dsl::Kernel &k) {
    dsl::Dim N = k.dims("N");
    dsl::Tensor x = k.in("x", f32, {N}), y = k.out("y", f32, {N});
    dsl::Range n = k.parallel(dsl::blocks(N, 64));
    store(y(n), dsl::exp2(load(x(n))));
  });
  Argument y = Argument::out(f32, {count});
  launch(target, program, {Argument::in(f32, {count}, x), y});
  return y.floats();
}

// Two ways to write exp2 for CPUs: with AVX-512's own steps of it and without. They give the same bits, for subnormal
// results, infinities and NaN too, and hold 2 ulp.
TEST_P(PointwiseTest, Exp2IsTheSameOnCpusWithFma) {
  if (target().vendor != Vendor::cpu || target().needs.find("fma") == std::string_view::npos)
    GTEST_SKIP() << "a GPU takes its own approximation of exp2, and a CPU without fma rounds twice";
  std::vector<float> x{INFINITY, -INFINITY, NAN,  0,    -0.0f, 1e30f, -1e30f, 127.9999f,
                       128,      129,       -126, -149, -150,  -151,  -152};
  for (int i = -160000; i <= 130000; i += 7)
    x.push_back(float(i) / 1000);
  std::vector<float> y = exp2On(target(), x), want = exp2On(**findTarget("cpu-avx2"), x);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(want[i])) << x[i];
    double exact = std::exp2(double(x[i]));
    if (exact >= 0x1p-126 && exact < 0x1p128)
      ASSERT_NEAR(y[i], exact, exact * 2.4e-7) << x[i];
  }
  EXPECT_EQ(y[0], INFINITY);
  EXPECT_EQ(y[1], 0);
  EXPECT_TRUE(std::isnan(y[2]));
}
