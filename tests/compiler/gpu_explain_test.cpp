// What the remarks of a GPU kernel count: conflicts of shared memory's banks, and how warps share a tile.
#include "compiler/target/gpu/explain.h"
#include <gtest/gtest.h>

namespace tessera::gpu {
namespace {

TEST(BankConflicts, AreCountedAsTheHardwareMeetsThem) {
  EXPECT_EQ(bankConflicts(4, [](int lane) { return lane * 4; }), 1);
  EXPECT_EQ(bankConflicts(4, [](int lane) { return lane * 8; }), 2);    // every other bank
  EXPECT_EQ(bankConflicts(4, [](int lane) { return lane * 128; }), 32); // a column of rows of 128 bytes
  EXPECT_EQ(bankConflicts(4, [](int) { return 64; }), 1);               // one word for all
  EXPECT_EQ(bankConflicts(2, [](int lane) { return lane * 2; }), 1);    // two lanes a word
  EXPECT_EQ(bankConflicts(8, [](int lane) { return lane * 8; }), 1);    // half a warp at a time
  EXPECT_EQ(bankConflicts(16, [](int lane) { return lane * 16; }), 1);  // eight lanes at a time
  EXPECT_EQ(bankConflicts(16, [](int lane) { return lane * 128; }), 8); // one chunk of eight rows
  EXPECT_EQ(bankConflicts(16, [](int lane) { return lane * (128 + 16); }), 1);
  EXPECT_EQ(bankConflicts(16, [](int lane) { return lane * 128 + (lane % 8 ^ 3) * 16; }), 1);
}

TEST(WarpsText, SaysWhatEachWarpHas) {
  Layout layout;
  layout.lane = {{0, 1}, {0, 2}, {0, 4}, {1, 0}, {2, 0}};
  layout.warp = {{4, 0}, {0, 8}, {0, 16}};
  layout.rep = {2, 1};
  EXPECT_EQ(warpsText(layout), "2 x 4 warps of 8 x 8");
  layout.warp = {};
  EXPECT_EQ(warpsText(layout), "1 x 1 warps of 8 x 8");
}

} // namespace
} // namespace tessera::gpu
