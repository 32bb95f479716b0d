#include "dsl/trace.h"
#include "tests/dsl/kernels.h"
#include <gtest/gtest.h>

namespace tessera {

// Each text of the architecture document becomes IR that MLIR's verifier accepts.
TEST(Trace, MainKernelsAreValid) {
  for (auto *define : {&dsl::gemm, &dsl::rmsNorm, &dsl::quantMatmul, &dsl::pagedAttention}) {
    auto program = traceKernel("kernel", "", define);
    ASSERT_TRUE(program) << program.error().message;
    EXPECT_NE(program->text.find("loc(\"tests/dsl/kernels.cpp\":"), std::string::npos) << program->text;
    EXPECT_EQ(program->fingerprint.find("loc("), std::string::npos);
  }
}

TEST(Trace, SignatureTellsALaunchEverything) {
  Signature s = traceKernel("quant_matmul", "", dsl::quantMatmul).value().signature;
  EXPECT_EQ(s.dims, (std::vector<std::string>{"M", "N", "K", "K/32"}));
  EXPECT_EQ(s.divisors, (std::vector<int64_t>{1, 1, 32, 1}));
  EXPECT_EQ(s.scaled, (std::vector<ScaledDim>{{3, 2, 1, 32}}));
  EXPECT_EQ(s.args[1], (ArgInfo{"scale", ArgKind::in, f32, {{0}, {3}}}));
  EXPECT_EQ(s.args[3], (ArgInfo{"W", ArgKind::in, q4_1, {{1}, {2}}}));
  EXPECT_EQ(s.grid, (std::vector<GridAxis>{{{0}, 4}, {{1}, 16}}));
}

} // namespace tessera
