// Products, quotients and inverses of layouts, and moves by shuffles, which are played through lane by lane.
#include "compiler/layout/algebra.h"
#include <gtest/gtest.h>

namespace tessera {
namespace {

// m16n8's accumulator over 2 x 2 warps of a 64 x 48 tile, as a product of what a thread, the quads and the warps hold.
Layout accumulator() {
  Layout fragment, warps;
  fragment.reg = {{0, 1}, {8, 0}};
  fragment.lane = {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}};
  fragment.rep = {1, 1};
  warps.warp = {{1, 0}, {0, 1}};
  warps.rep = {2, 3};
  return product(fragment, warps);
}

Layout rows(std::vector<Coordinate> reg, std::vector<Coordinate> lane, Coordinate rep,
            std::vector<Coordinate> warp = {}) {
  Layout out;
  out.reg = std::move(reg), out.lane = std::move(lane), out.rep = std::move(rep), out.warp = std::move(warp);
  return out;
}

TEST(LayoutAlgebra, AProductIsMadeOfCopiesOfItsFirstPart) {
  Layout tile = accumulator();
  EXPECT_EQ(tile.shape(), (Coordinate{64, 48}));
  EXPECT_EQ(tile.warp, (std::vector<Coordinate>{{16, 0}, {0, 8}}));
  EXPECT_EQ(tile.at(0, 32 + 5), (Coordinate{17, 2}));
}

TEST(LayoutAlgebra, DivisionUndoesAProductAndRefusesOthers) {
  Layout word = rows({{0, 1}}, {}, {1, 1}), tile = accumulator();
  auto quotient = divide(tile, word);
  ASSERT_TRUE(quotient);
  EXPECT_EQ(product(word, *quotient), tile);
  EXPECT_EQ(quotient->reg, (std::vector<Coordinate>{{8, 0}}));
  EXPECT_EQ(quotient->lane[0], (Coordinate{0, 1}));
  EXPECT_FALSE(divide(tile, rows({{1, 0}}, {}, {1, 1})));         // neighbours lie along the other axis
  EXPECT_FALSE(divide(tile, rows({{0, 1}, {0, 2}}, {}, {1, 1}))); // the thread has two of them, not four
}

// A tensor's last axis is memory's order: four neighbours a register, then rows, are four elements an access.
TEST(LayoutAlgebra, AnAccessIsWhatMemoryAndALayoutBothBeginWith) {
  Layout memory = along(&Layout::reg, 1, 64);
  Layout fours = rows({{0, 1}, {0, 2}, {1, 0}, {0, 4}}, {{0, 8}, {0, 16}}, {1, 1});
  EXPECT_EQ(together(fours, memory, &Layout::reg), 4);
  EXPECT_EQ(together(fours, memory, &Layout::lane), 1); // lanes walk eight at a time
  EXPECT_EQ(together(fours.transposed(), memory, &Layout::reg), 1);
  EXPECT_EQ(together(fours, along(&Layout::reg, 1, 2), &Layout::reg), 2); // no more is known of memory
  Layout vectors = rows({{1, 0}}, {{0, 1}, {0, 2}, {0, 4}}, {3, 5});
  EXPECT_EQ(together(vectors, memory, &Layout::lane), 8);
}

TEST(LayoutAlgebra, HoldersFindEveryElementAndTheNearestCopy) {
  Layout copies = rows({{0, 1}}, {{0, 2}, {0, 0}, {1, 0}, {0, 0}, {2, 0}}, {3, 5}, {{0, 0}, {4, 0}});
  Holders holders(copies);
  for (int64_t r = 0; r < copies.registers(); ++r)
    for (int64_t t = 0; t < copies.threads(); ++t)
      EXPECT_EQ(holders.at(copies.at(r, t), t), (Holders::Holder{r, t}));
}

// What the threads of a block hold after the plan, when they begin with the numbers of their elements.
void expectMoved(const Layout &from, const Layout &to, const std::function<Coordinate(Coordinate)> &map, int64_t most,
                 int64_t shuffles) {
  auto plan = shufflesBetween(from, to, map, most);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->shuffles(), shuffles);
  Coordinate shape = from.shape();
  for (int64_t t = 0; t < to.threads(); ++t)
    for (int64_t r = 0; r < to.registers(); ++r) {
      const ShufflePlan::Word &word = plan->words[size_t(r / plan->together)];
      int64_t lane = t % to.lanes(), taken = int64_t(plan->lanes(uint64_t(lane))) ^ word.lane;
      // The lane offers what the bits that it asks say, as the generated code does.
      int64_t mask = 0, offered = -1;
      for (int bit : word.asked)
        mask |= int64_t(1) << bit;
      for (int64_t other = 0; other < to.lanes(); ++other)
        if ((other & mask) == (taken & mask) && word.offered[size_t(other)] >= 0)
          offered = word.offered[size_t(other)];
      EXPECT_EQ(elementNumber(from.at(offered + r % plan->together, t - lane + taken), shape),
                elementNumber(map(to.at(r, t)), shape))
          << "thread " << t << " register " << r;
    }
}

Coordinate same(Coordinate at) { return at; }

TEST(LayoutAlgebra, AColumnReachesTheLanesOfItsRows) {
  // Row maxima of m16n8: held by quads, wanted one a lane.
  Layout quads = rows({{8, 0}}, {{0, 0}, {0, 0}, {1, 0}, {2, 0}, {4, 0}}, {1, 1});
  Layout spread = rows({}, {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {0, 0}}, {1, 1});
  expectMoved(quads, spread, same, 1, 1);
  expectMoved(spread, quads, same, 1, 2);
}

TEST(LayoutAlgebra, HalvesMoveInPairs) {
  // Lanes along columns in another order, two neighbours a register pair.
  Layout from = rows({{0, 1}}, {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}}, {2, 3});
  Layout to = rows({{0, 1}}, {{1, 0}, {2, 0}, {4, 0}, {0, 2}, {0, 4}}, {2, 3});
  expectMoved(from, to, same, 2, 6);
  expectMoved(from, to, same, 1, 12);
}

TEST(LayoutAlgebra, RegistersThatOnlyChangeLanesByAMaskStayInOrder) {
  // Eight rows each in the first half of the lanes, wanted in the second: one mask.
  Layout from = rows({{0, 1}}, {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {0, 2}}, {1, 1}, {{16, 0}});
  Layout to = rows({{0, 2}}, {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {0, 1}}, {1, 1}, {{16, 0}});
  // A transpose of a lane bit with a register bit: lanes want different registers of one lane, so it is refused.
  EXPECT_FALSE(shufflesBetween(from, to, same, 1));
}

TEST(LayoutAlgebra, WhatCrossesWarpsIsNoShuffle) {
  Layout from = rows({}, {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {16, 0}}, {1, 1}, {{32, 0}});
  Layout to = rows({}, {{2, 0}, {4, 0}, {8, 0}, {16, 0}, {32, 0}}, {1, 1}, {{1, 0}});
  EXPECT_FALSE(shufflesBetween(from, to, same, 1));
}

} // namespace
} // namespace tessera
