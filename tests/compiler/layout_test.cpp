#include "compiler/layout/layout.h"
#include <gtest/gtest.h>
#include <set>

namespace tessera {
namespace {

TEST(Layout, RowsPutTheLastAxisInLanes) {
  int64_t shape[] = {2, 80};
  Layout rows = rowLayout(shape, 16);
  EXPECT_EQ(rows.lanes(), 16);
  EXPECT_EQ(rows.registers(), 10); // 2 rows of 5 vectors
  EXPECT_EQ(rows.at(0, 3), (Coordinate{0, 3}));
  EXPECT_EQ(rows.at(6, 15), (Coordinate{1, 31}));
  EXPECT_EQ(rows.shape(), (Coordinate{2, 80}));
}

TEST(Layout, ExtentsThatAreNoPowerOfTwoTakeFewerLanes) {
  int64_t shape[] = {72}, odd[] = {7};
  EXPECT_EQ(rowLayout(shape, 16).lanes(), 8);
  EXPECT_EQ(rowLayout(odd, 16).lanes(), 1);
  EXPECT_EQ(rowLayout(odd, 16).registers(), 7);
}

// Every element lives in exactly one place, and inverse() finds it.
TEST(Layout, InverseFindsEveryElement) {
  Layout panel; // 16 rows x 32 columns of codes: 4 columns and 16 rows in the lanes
  panel.lane = {{0, 1}, {0, 2}, {1, 0}, {2, 0}, {4, 0}, {8, 0}};
  panel.rep = {2, 8};
  EXPECT_EQ(panel.shape(), (Coordinate{32, 32}));
  auto where = panel.inverse();
  std::set<int64_t> distinct(where.begin(), where.end());
  EXPECT_EQ(distinct.size(), 32u * 32u);
  Coordinate shape = panel.shape();
  for (int64_t i = 0; i < int64_t(where.size()); ++i)
    EXPECT_EQ(elementNumber(panel.at(where[i] / 64, where[i] % 64), shape), i);
}

TEST(Layout, RegisterBasesCount) {
  Layout fragment; // m16n8 of a tensor core's accumulator: two registers apart by rows
  fragment.lane = {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}};
  fragment.reg = {{0, 1}, {8, 0}};
  fragment.rep = {1, 2};
  EXPECT_EQ(fragment.shape(), (Coordinate{16, 16}));
  EXPECT_EQ(fragment.registers(), 8);
  EXPECT_EQ(fragment.at(3, 5), (Coordinate{9, 3}));
  EXPECT_EQ(fragment.at(7, 5), (Coordinate{9, 11}));
}

TEST(Layout, TransposedTwiceIsTheSame) {
  int64_t shape[] = {4, 48};
  Layout rows = rowLayout(shape, 16), across = rows.transposed();
  EXPECT_EQ(across.shape(), (Coordinate{48, 4}));
  EXPECT_EQ(across.at(0, 5), (Coordinate{5, 0}));
  EXPECT_EQ(across.transposed(), rows);
}

} // namespace
} // namespace tessera
