// What a user of `tessera bench compile` relies on: a row a kernel, times that add up, quantiles of the rows.
#include "base/child_process.h"
#include "bench/compile_bench.h"
#include <fstream>
#include <gtest/gtest.h>

using namespace tessera;
using namespace tessera::bench;

static CompileBenchResult resultOf(const CompileBenchOptions &options) {
  Result<CompileBenchResult> result = benchCompile(options, [](const CompileBenchRow &) { return true; });
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : CompileBenchResult{};
}

TEST(CompileBench, AKernelIsCompiledOnceHoweverManyShapesItServes) {
  CompileBenchResult result = resultOf({.op = "rope"}); // T = 1 and T = 64: one kernel
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].op, "rope");
  EXPECT_EQ(resultOf({.op = "rms_norm", .dtype = f32}).rows.size(), 2u); // with and without a residual
}

TEST(CompileBench, StagesAddUpToTheWhole) {
  for (const char *target : {"cpu", "t4"}) {
    CompileBenchResult result = resultOf({.op = "silu_and_mul", .target = target, .repeats = 2});
    ASSERT_FALSE(result.rows.empty());
    const CompileBenchRow &row = result.rows[0];
    double sum = 0;
    for (const StageTime &stage : row.stages)
      sum += stage.ms;
    EXPECT_GT(row.ms, 0);
    EXPECT_NEAR(sum, row.ms, 1e-6) << target; // what is in no stage is a row of its own, however long a pause it was
    EXPECT_EQ(row.stages.front().stage, "trace");
    EXPECT_EQ(row.stages.back().stage,
              result.target.starts_with("cpu") ? "link" : "other"); // what can run here is linked
    for (const StageTime &stage : row.stages)
      EXPECT_GE(stage.ms, -1e-3) << target << ' ' << stage.stage; // no part is counted twice
  }
}

TEST(CompileBench, TakesAShapeAndAConfig) {
  CompileBenchResult result = resultOf(
      {.op = "gemm", .dtype = f16, .sizes = {{"M", 16}, {"transposed", 1}}, .config = "bn=64", .target = "t4"});
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.rows[0].shape, "K=512,M=16,N=512,transposed=1");
  EXPECT_EQ(result.rows[0].config, "bm=16,bn=64,bk=32");
  EXPECT_EQ(result.rows[0].general.registers, -1); // nobody has told
}

// With NVIDIA's assembler, here a script, its time is told apart and its code is found in the cache with the rest.
TEST(CompileBench, TimesTheAssemblerApart) {
  ScratchFolder scratch;
  std::string path = scratch.path / "ptxas";
  std::ofstream(path)
      << "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Ptx optimizing assembler, release 9, V9.9.9'; "
         "exit 0; fi\nsleep 0.1; printf '\\177ELF' > \"$5\"\n"
         "for e in silu silu_aligned; do echo \"ptxas info    : Compiling entry function '$e' for 'sm_75'\"; echo \"   "
         " 24 "
         "bytes stack frame, ${#e} bytes spill stores, 8 bytes spill loads\"; echo 'ptxas info    : Used 40 "
         "registers'; "
         "done\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  CompileBenchResult result = resultOf({.op = "silu", .target = "t4", .ptxas = path});
  ASSERT_EQ(result.rows.size(), 1u);
  EXPECT_EQ(result.ptxas, "9.9.9");
  EXPECT_GE(result.rows[0].ptxasMs, 100);
  EXPECT_GT(result.rows[0].diskMs, 0);
  EXPECT_GT(result.rows[0].cpuMs, 0);
  EXPECT_EQ(result.rows[0].general, (ResourceReport{24, 4, 40}));
  EXPECT_EQ(result.rows[0].aligned, (ResourceReport{24, 12, 40}));
  using Row = CompileBenchRow;
  EXPECT_EQ(result.quantile(1, {&Row::ms, &Row::ptxasMs}), result.rows[0].ms + result.rows[0].ptxasMs);
}

TEST(CompileBench, QuantilesAreThoseOfTheRows) {
  CompileBenchResult result;
  EXPECT_EQ(result.quantile(0.5), 0);
  for (double ms : {7.0, 1.0, 3.0, 5.0})
    result.rows.push_back({.ms = ms});
  EXPECT_EQ(result.quantile(0.5), 3);
  EXPECT_EQ(result.quantile(0.95), 7);
  EXPECT_EQ(result.quantile(0), 1);
}

TEST(CompileBench, FindsAKernelInMemory) {
  Result<LookupTime> time = timeLookup();
  ASSERT_TRUE(time) << time.error().message;
  EXPECT_GT(time->min, 0);
  EXPECT_LE(time->min, time->median);
  EXPECT_LT(time->min, 20000); // far below any compilation: nothing was compiled, linked or read from disk
}

TEST(CompileBench, RefusesWhatItCannotCompile) {
  auto refusal = [](const CompileBenchOptions &options) {
    auto result = benchCompile(options, [](const CompileBenchRow &) { return true; });
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_TRUE(refusal({.op = "conv"}).starts_with("unknown op 'conv'"));
  EXPECT_TRUE(refusal({.op = "softmax", .target = "abacus"}).starts_with("unknown target 'abacus'"));
  EXPECT_EQ(refusal({.op = "softmax", .dtype = f16}), "op 'softmax' does not take dtype f16");
}
