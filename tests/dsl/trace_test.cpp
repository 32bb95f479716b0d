#include "dsl/dsl.h"
#include "dsl/trace.h"
#include "tests/dsl/kernels.h"
#include <gtest/gtest.h>
#include <thread>

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

// Again, and on several threads at once.
TEST(Trace, RepeatsByteForByte) {
  for (const dsl::NamedKernel &kernel : dsl::kernels) {
    std::string texts[4];
    std::vector<std::thread> threads;
    for (std::string &text : texts)
      threads.emplace_back([&] { text = traceKernel(kernel.name, "", kernel.define).value().text; });
    for (std::thread &thread : threads)
      thread.join();
    for (const std::string &text : texts)
      EXPECT_EQ(text, texts[0]);
  }
}

// A kernel unrolled in C++ may be as long as its author likes.
TEST(Trace, TakesChainsOfAnyLength) {
  auto program = traceKernel("chain", "", [](dsl::Kernel &k) {
    dsl::Tensor Y = k.out("y", f32, {16});
    k.parallel(dsl::each(1));
    dsl::Tile sum = dsl::zeros({16});
    for (int i = 0; i < 50000; ++i)
      sum += i;
    dsl::store(Y(dsl::all), sum);
  });
  ASSERT_TRUE(program) << program.error().message;
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
