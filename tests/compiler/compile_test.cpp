#include "compiler/compile.h"
#include "runtime/driver/driver.h"
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <thread>

namespace tessera {
namespace {

Program gemm() {
  std::ifstream file("tests/compiler/gemm.mlir");
  std::stringstream text;
  text << file.rdbuf();
  Program program;
  program.text = program.fingerprint = text.str();
  Extent m{0, 0}, n{1, 0}, k{2, 0};
  program.signature = {
      "gemm",
      {"M", "N", "K"},
      {1, 1, 1},
      {{"A", ArgKind::in, f32, {m, k}}, {"B", ArgKind::in, f32, {k, n}}, {"C", ArgKind::out, f32, {m, n}}},
      {{m, 4}, {n, 32}}};
  return program;
}

// Every CPU row that this machine runs, ragged in all three sizes.
TEST(Compile, GemmIsRightOnEveryRow) {
  for (const Target &row : targets()) {
    if (!hostCanRun(row))
      continue;
    Result<Artifact> artifact = compile(gemm(), row);
    ASSERT_TRUE(artifact) << artifact.error().message;
    auto driver = driver::openCpu(row.name, 1);
    ASSERT_TRUE(driver) << driver.error().message;
    auto kernel = (*driver)->load(*artifact);
    ASSERT_TRUE(kernel) << kernel.error().message;
    for (auto [M, N, K] : {std::tuple{8, 64, 16}, {7, 45, 13}, {1, 1, 1}, {5, 33, 3}}) {
      std::vector<float> a(M * K), b(K * N), c(M * N, NAN);
      for (size_t i = 0; i < a.size(); ++i)
        a[i] = float(int(i * 7 % 13) - 6);
      for (size_t i = 0; i < b.size(); ++i)
        b[i] = float(int(i * 5 % 11) - 5);
      std::vector<int64_t> args{M, N, K, int64_t(a.data()), int64_t(b.data()), int64_t(c.data())};
      std::vector<int64_t> grid{(M + 3) / 4, (N + 31) / 32};
      auto launched = (*driver)->launch(nullptr, *kernel, {args, grid});
      ASSERT_TRUE(launched) << launched.error().message;
      for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) {
          float sum = 0;
          for (int k = 0; k < K; ++k)
            sum += a[i * K + k] * b[k * N + j];
          ASSERT_EQ(c[i * N + j], sum) << row.name << " " << M << "x" << N << "x" << K << " at " << i << "," << j;
        }
    }
    (*driver)->unload(*kernel);
  }
}

TEST(Compile, EqualInputsGiveEqualBytes) {
  const Target &row = **findTarget("cpu");
  Result<Artifact> once = compile(gemm(), row), again = compile(gemm(), row);
  ASSERT_TRUE(once && again);
  EXPECT_EQ(once->bytes, again->bytes);
  EXPECT_EQ(cacheKey(gemm(), row), cacheKey(gemm(), row));
  EXPECT_NE(cacheKey(gemm(), row), cacheKey(gemm(), row, {.splitEdges = false}));
}

TEST(Compile, ThreadsDoNotMeet) {
  const Target &row = **findTarget("cpu-avx2");
  Result<Artifact> alone = compile(gemm(), row);
  std::vector<Result<Artifact>> together(4, internalError("not compiled"));
  {
    std::vector<std::jthread> threads;
    for (Result<Artifact> &slot : together)
      threads.emplace_back([&] { slot = compile(gemm(), row); });
  }
  for (Result<Artifact> &artifact : together)
    EXPECT_EQ(artifact->bytes, alone->bytes);
}

// 16 accumulators fit the 32 registers of AVX-512, but not the 16 of the plain row.
TEST(Compile, ReportsSpills) {
  Result<Artifact> wide = compile(gemm(), **findTarget("cpu-avx512")),
                   plain = compile(gemm(), **findTarget("cpu-baseline"));
  ASSERT_TRUE(wide && plain);
  EXPECT_GT(wide->resources.scratchBytes, 0);
  EXPECT_GT(plain->resources.spillBytes, wide->resources.spillBytes);
}

TEST(Compile, KeepsTheStagesThatItIsAskedFor) {
  CompileReport report;
  report.keep = {"tile", "layout", "llvm", "asm"};
  ASSERT_TRUE(compile(gemm(), **findTarget("cpu"), {}, &report));
  ASSERT_EQ(report.dumps.size(), 4u);
  EXPECT_NE(report.dumps[1].second.find("#tile.layout"), std::string::npos);
  EXPECT_NE(report.dumps[3].second.find("gemm:"), std::string::npos);
  EXPECT_FALSE(report.stages.empty());
}

TEST(Compile, ExplainsEachLineOnce) {
  CompileReport report;
  ASSERT_TRUE(compile(gemm(), **findTarget("cpu-avx2"), {}, &report));
  std::vector<std::string> texts;
  for (const Remark &remark : report.remarks)
    texts.push_back(remark.text);
  EXPECT_EQ(texts, (std::vector<std::string>{"load: 16 scalars", "load: 16 vectors of 8 elements",
                                             "dot: 16 accumulators of 'vector<8xf32>', fma over 1 k a step",
                                             "store: 16 vectors of 8 elements"}));
}

} // namespace
} // namespace tessera
