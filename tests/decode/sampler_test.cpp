#include "runtime/decode/sampler.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace tessera::decode {

// The first numbers that the reference implementation's demo prints: seed 42, stream 54.
TEST(Pcg32, IsTheReferenceGenerator) {
  Pcg32 random(42, 54);
  for (uint32_t expected : {0xa15c02b7u, 0x7b47f409u, 0xba1d3330u, 0x83d2f293u, 0xbfa4784bu, 0xcbed606eu})
    EXPECT_EQ(random.next(), expected);
}

TEST(Pcg32, UniformStaysBelowOne) {
  Pcg32 random(1);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

// Chi-square of a million draws against the exact distribution, 9 degrees of freedom: 27.88 is p = 0.001.
TEST(Sampler, DrawsTheSoftmax) {
  const std::vector<float> logits = {1.f, -2.f, 0.5f, 3.f, 0.f, 2.5f, -1.f, 1.5f, 2.f, -0.5f};
  for (double temperature : {0.5, 1.0, 2.0}) {
    Sampler sampler(temperature, 11);
    std::vector<double> counts(logits.size()), p(logits.size());
    constexpr int draws = 1000000;
    for (int i = 0; i < draws; ++i)
      ++counts[size_t(sampler.draw(logits))];
    double total = 0, chi = 0;
    for (size_t i = 0; i < p.size(); ++i)
      total += p[i] = std::exp(logits[i] / temperature);
    for (size_t i = 0; i < p.size(); ++i) {
      double expected = p[i] / total * draws;
      chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    EXPECT_LT(chi, 27.88) << "temperature " << temperature;
  }
}

TEST(Sampler, SameSeedSameTokens) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = float(std::sin(double(i)));
  Sampler a(1, 5), b(1, 5), c(1, 6);
  std::vector<int32_t> fromA, fromB, fromC;
  for (int i = 0; i < 50; ++i) {
    fromA.push_back(a.draw(logits));
    fromB.push_back(b.draw(logits));
    fromC.push_back(c.draw(logits));
  }
  EXPECT_EQ(fromA, fromB);
  EXPECT_NE(fromA, fromC);
}

TEST(Sampler, ImpossibleTokensAreNeverDrawn) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {-inf, 0.f, nan, 1e30f, -inf};
  Sampler sampler(1, 3);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(sampler.draw(logits), 3);
}

TEST(LogProbability, IsTheLogOfTheSoftmax) {
  const std::vector<float> logits = {1.f, 2.f, 1000.f, 999.f};
  EXPECT_NEAR(logProbability(logits, 2), -std::log(1 + std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(logProbability(logits, 3), -1 - std::log(1 + std::exp(-1.0)), 1e-12);
}

} // namespace tessera::decode
