// Linear maps over GF(2): the laws that code generation relies on, over random maps.
#include "compiler/layout/linear_map.h"
#include <gtest/gtest.h>
#include <random>

namespace tessera {
namespace {

LinearMap randomMap(std::mt19937_64 &random, int inBits, int outBits) {
  std::vector<uint64_t> columns;
  for (int bit = 0; bit < inBits; ++bit)
    columns.push_back(random() & ((uint64_t(1) << outBits) - 1));
  return {outBits, columns};
}

TEST(LinearMap, SumsGoToSums) {
  std::mt19937_64 random(1);
  LinearMap map = randomMap(random, 12, 9);
  EXPECT_EQ(map(0), 0u);
  for (int i = 0; i < 200; ++i) {
    uint64_t x = random() & 0xfff, y = random() & 0xfff;
    EXPECT_EQ(map(x ^ y), map(x) ^ map(y));
  }
}

TEST(LinearMap, CompositionIsOneAfterTheOther) {
  std::mt19937_64 random(2);
  LinearMap outer = randomMap(random, 7, 10), inner = randomMap(random, 5, 7), both = outer.compose(inner);
  EXPECT_EQ(both.inBits(), 5);
  EXPECT_EQ(both.outBits(), 10);
  for (uint64_t x = 0; x < 32; ++x)
    EXPECT_EQ(both(x), outer(inner(x)));
  EXPECT_EQ(outer.compose(LinearMap::identity(7)), outer);
}

// Where every number is reached, the inverse names an input for each; where one is not, there is none.
TEST(LinearMap, InverseLeadsBackWhereThereIsOne) {
  std::mt19937_64 random(3);
  int with = 0, without = 0;
  for (int i = 0; i < 300; ++i) {
    LinearMap map = randomMap(random, 4 + i % 5, 6);
    auto back = map.inverse();
    EXPECT_EQ(back.has_value(), map.rank() == 6);
    (back ? with : without)++;
    for (uint64_t y = 0; back && y < 64; ++y)
      EXPECT_EQ(map((*back)(y)), y);
  }
  EXPECT_GT(with, 50);
  EXPECT_GT(without, 50);
}

// Bits that repeat what lower ones give are left at 0: of several copies the inverse names the first.
TEST(LinearMap, InverseNamesTheFirstOfCopies) {
  LinearMap map(2, {0, 1, 1, 2, 3});
  EXPECT_EQ(*map.inverse(), LinearMap(5, {0b00010, 0b01000}));
  EXPECT_EQ(map.rank(), 2);
}

} // namespace
} // namespace tessera
