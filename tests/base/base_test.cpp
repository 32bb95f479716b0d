#include "base/dtype.h"
#include "base/hash.h"
#include "base/target.h"
#include <gtest/gtest.h>

namespace tessera {

// Vectors made with the reference implementation of MurmurHash3_x64_128, seed 0.
TEST(Hash, IsMurmur3) {
  EXPECT_EQ(hash128("").hex(), "00000000000000000000000000000000");
  EXPECT_EQ(hash128("hello").hex(), "cbd8a7b341bd9b025b1e906a48ae1d19");
  EXPECT_EQ(hash128("The quick brown fox jumps over the lazy dog").hex(), "e34bbc7bbc071b6c7a433ca9c49a9347");
}

TEST(Hash, TellsTailsApart) { EXPECT_NE(hash128("a"), hash128(std::string_view("a\0", 2))); }

TEST(DType, NamesRoundTrip) {
  for (const DTypeInfo &row : dtypes())
    EXPECT_EQ(dtypeByName(row.name), row.dtype);
  EXPECT_FALSE(dtypeByName("q9_9"));
}

TEST(DType, PanelsHoldAsManyBytesAsTheFile) {
  EXPECT_EQ(panelBytes(q4_1, 576, 576), 576 * 576 / 32 * 20);
  EXPECT_EQ(panelBytes(q8_0, 17, 64), 32 * 2 * 34); // 17 rows fill two panels of 16
  EXPECT_EQ(panelBytes(q6_k, 16, 512), 16 * 2 * 210);
  EXPECT_EQ(panelBytes(q4_k, 16, 256), 16 * (144 + 4)); // scales of a byte, not of 6 bits
  EXPECT_EQ(panelBytes(panel_f16, 17, 5), 32 * 5 * 2);
}

TEST(Target, CpuIsARowThatRunsHere) {
  auto cpu = findTarget("cpu");
  ASSERT_TRUE(cpu);
  EXPECT_TRUE(hostCanRun(**cpu));
}

TEST(Target, UnknownNamesTheKnown) {
  auto none = findTarget("cpu-z80");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message.substr(0, 24), "unknown target 'cpu-z80'");
  EXPECT_EQ(none.error().blame, Blame::invalidArgument);
}

} // namespace tessera
