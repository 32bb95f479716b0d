// The readings of tensor-core accumulation, on sums that tell them apart; and kernels whose results hold in all of
// them.
#include "runtime/vgpu/exec/tensor_sum.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

namespace tessera::vgpu {
namespace {

constexpr TensorModel models[] = {TensorModel::ieeeFma, TensorModel::exactThenRound, TensorModel::truncate};

float sum(TensorModel model, float c, std::vector<float> a) {
  std::vector<float> ones(a.size(), 1.0f);
  return tensorSum(model, c, a.data(), ones.data(), 1, uint32_t(a.size()));
}

TEST(TensorSum, TellsTheReadingsApart) {
  const float big = std::ldexp(1.0f, 24);
  // 2^24 + 1 + 1: one after the other both ones are lost, together they make 2.
  EXPECT_EQ(sum(TensorModel::ieeeFma, big, {1, 1}), big);
  EXPECT_EQ(sum(TensorModel::exactThenRound, big, {1, 1}), big + 2);
  EXPECT_EQ(sum(TensorModel::truncate, big, {1, 1}), big + 2) << "the bit below the last one is kept";
  // A quarter of the last bit is cut off each, where the exact sum has them all.
  EXPECT_EQ(sum(TensorModel::exactThenRound, big, {0.5f, 0.5f, 0.5f, 0.5f}), big + 2);
  EXPECT_EQ(sum(TensorModel::truncate, big, {0.5f, 0.5f, 0.5f, 0.5f}), big);
  // The end result is cut off toward zero, of either sign.
  EXPECT_EQ(sum(TensorModel::truncate, big, {3}), big + 2);
  EXPECT_EQ(sum(TensorModel::ieeeFma, big, {3}), big + 4);
  EXPECT_EQ(sum(TensorModel::truncate, -big, {-3}), -big - 2);
}

TEST(TensorSum, WholeNumbersAreExactInAll) {
  std::mt19937 generator(1);
  std::uniform_int_distribution<int> small(-9, 9);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> a(16), b(32);
    int want = small(generator);
    const auto c = float(want);
    for (float &x : a)
      x = float(small(generator));
    for (float &x : b)
      x = float(small(generator));
    for (size_t i = 0; i < 16; ++i)
      want += int(a[i]) * int(b[2 * i]);
    for (TensorModel model : models)
      ASSERT_EQ(tensorSum(model, c, a.data(), b.data(), 2, 16), float(want));
  }
}

TEST(TensorSum, InfinitiesAndZeros) {
  const float inf = std::numeric_limits<float>::infinity();
  for (TensorModel model : models) {
    EXPECT_EQ(sum(model, 0, {0, 0}), 0);
    EXPECT_EQ(sum(model, inf, {1, 2}), inf);
    EXPECT_TRUE(std::isnan(sum(model, inf, {1, -inf})));
  }
}

} // namespace
} // namespace tessera::vgpu
