// Kernels that are right stay unreported, and give one result, in whatever order their warps run.
#include "tests/vgpu/kernel_cases.h"

namespace {

TEST(Clean, NoKernelIsReportedUnderTwentySchedules) {
  ASSERT_EQ(cuInit(0), 0);
  CaseRunner runner;
  for (const KernelCase &c : runner.cases()) {
    std::string text = CaseRunner::textOf(c);
    ASSERT_EQ(tesseraVgpuSchedule(0), 0);
    Outcome expected = runner.attempt(c, text);
    EXPECT_TRUE(expected) << c.kernel << ": " << tesseraVgpuFindings();
    for (uint64_t seed = 1; seed <= 20 && expected; ++seed) {
      ASSERT_EQ(tesseraVgpuSchedule(seed), 0);
      Outcome got = runner.attempt(c, text);
      EXPECT_TRUE(got) << c.kernel << " with schedule " << seed << ": " << tesseraVgpuFindings();
      EXPECT_TRUE(!got || *got == *expected) << c.kernel << " gives another result with schedule " << seed;
    }
  }
  tesseraVgpuSchedule(0);
}

} // namespace
