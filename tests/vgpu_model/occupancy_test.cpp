// Occupancy against cases worked out by hand from the programming guide's limits and allocation units.
#include "runtime/vgpu/model/estimate.h"

#include <gtest/gtest.h>

namespace tessera::vgpu {
namespace {
struct Case {
  const char *chip;
  LaunchShape shape;
  uint32_t blocks;
  Limit limit;
};

TEST(Occupancy, HandComputed) {
  const Case cases[] = {
      // 64 warps / 8 a block; 32 registers x 32 lanes x 64 warps is exactly the register file.
      {"a100", {1, 256, 32, 0}, 8, Limit::threads},
      // 33 registers round to 40: 1280 a warp, 51 warps fit, 48 in fours, 6 blocks of 8.
      {"a100", {1, 256, 33, 0}, 6, Limit::registers},
      // 128 registers: 4096 a warp, 16 warps.
      {"a100", {1, 256, 128, 0}, 2, Limit::registers},
      {"a100", {1, 128, 128, 0}, 4, Limit::registers},
      // 255 round to 256: 8192 a warp, 8 warps.
      {"h100", {1, 256, 255, 0}, 1, Limit::registers},
      {"h100", {1, 512, 255, 0}, 0, Limit::registers},
      // 48 KiB and the reserved 1 KiB: 164 / 49.
      {"a100", {1, 128, 32, 48 * 1024}, 3, Limit::shared},
      {"a100", {1, 128, 32, 163 * 1024}, 1, Limit::shared},
      {"a100", {1, 128, 32, 163 * 1024 + 1}, 0, Limit::shared},
      // 228 / (113 + 1) is exactly two.
      {"h100", {1, 128, 32, 113 * 1024}, 2, Limit::shared},
      {"h100", {1, 128, 32, 113 * 1024 + 1}, 1, Limit::shared},
      // Before sm_80 nothing is reserved: 64 / 32 on a T4, 96 / 32 on a V100.
      {"t4", {1, 128, 32, 32 * 1024}, 2, Limit::shared},
      {"v100", {1, 128, 32, 32 * 1024}, 3, Limit::shared},
      // One warp a block: the block slots run out.
      {"t4", {1, 32, 32, 0}, 16, Limit::blocks},
      {"l4", {1, 32, 32, 0}, 24, Limit::blocks},
      {"v100", {1, 32, 32, 0}, 32, Limit::blocks},
      // A T4 has 32 warps an SM, an L4 48: one and one block of 1024 threads.
      {"t4", {1, 1024, 32, 0}, 1, Limit::threads},
      {"l4", {1, 1024, 32, 0}, 1, Limit::threads},
      // 33 threads are two warps.
      {"a100", {1, 33, 32, 0}, 32, Limit::threads},
      {"h100", {1, 96, 32, 0}, 21, Limit::threads},
  };
  for (const Case &c : cases) {
    const Chip *chip = chipNamed(c.chip);
    ASSERT_TRUE(chip);
    const Occupancy got = occupancy(*chip, c.shape);
    EXPECT_EQ(got.blocksPerSm, c.blocks) << c.chip << ": " << c.shape.threads << " threads, " << c.shape.registers
                                         << " registers, " << c.shape.sharedBytes << " bytes";
    EXPECT_EQ(int(got.limit), int(c.limit)) << c.chip << ": " << c.shape.threads << " threads, " << c.shape.registers
                                            << " registers, " << c.shape.sharedBytes << " bytes";
  }
}
} // namespace
} // namespace tessera::vgpu
