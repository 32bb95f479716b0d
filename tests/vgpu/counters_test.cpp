// Counters of global memory, caches, banks, pipes and tensor cores, against counts made by hand.
#include "tests/vgpu/cuda_api.h"
#include <nlohmann/json.hpp>

extern "C" size_t tesseraVgpuLastReport(int, char *, size_t);

namespace {
using nlohmann::json;

// Each thread loads `count` words, `step` bytes apart, from p + (block % period) * blockBytes + thread * threadBytes,
// and stores their sum.
std::string walk(const std::string &cache) {
  return ".version 6.4\n.target sm_75\n.address_size 64\n.visible .entry walk(.param .u64 p, .param .u64 out, .param "
         ".u32 "
         "period, .param .u32 blockBytes, .param .u32 threadBytes, .param .u32 step, .param .u32 count)\n{\n"
         ".reg .pred %p<2>;\n.reg .b32 %r<20>;\n.reg .b64 %rd<20>;\n"
         "ld.param.u64 %rd1, [p];\nld.param.u64 %rd2, [out];\nld.param.u32 %r1, [period];\nld.param.u32 %r2, "
         "[blockBytes];\n"
         "ld.param.u32 %r3, [threadBytes];\nld.param.u32 %r4, [step];\nld.param.u32 %r5, [count];\n"
         "mov.u32 %r6, %ctaid.x;\nmov.u32 %r7, %tid.x;\nmov.u32 %r8, %ntid.x;\nrem.u32 %r9, %r6, %r1;\n"
         "mul.wide.u32 %rd3, %r9, %r2;\nadd.s64 %rd1, %rd1, %rd3;\nmul.wide.u32 %rd3, %r7, %r3;\nadd.s64 %rd1, %rd1, "
         "%rd3;\n"
         "cvt.u64.u32 %rd4, %r4;\nmov.u32 %r10, 0;\nmov.u32 %r11, 0;\nLOOP:\nld.global" +
         cache +
         ".u32 %r12, [%rd1];\nadd.u32 %r10, %r10, %r12;\nadd.s64 %rd1, %rd1, %rd4;\nadd.u32 %r11, %r11, 1;\n"
         "setp.lt.u32 %p1, %r11, %r5;\n@%p1 bra LOOP;\nmad.lo.u32 %r13, %r6, %r8, %r7;\nmul.wide.u32 %rd5, %r13, 4;\n"
         "add.s64 %rd2, %rd2, %rd5;\nst.global.u32 [%rd2], %r10;\nret;\n}\n";
}

class Counters : public VirtualGpu {
protected:
  json report() {
    std::string text(tesseraVgpuLastReport(0, nullptr, 0) + 1, '\0');
    tesseraVgpuLastReport(0, text.data(), text.size());
    text.pop_back();
    return json::parse(text);
  }
  json counters() { return report()["counters"]; }

  struct Walk {
    unsigned blocks, period, blockBytes, threadBytes, step, count;
    std::string cache = "";
  };
  // What the loads alone did, with 32 threads a block.
  json run(const Walk &k) {
    auto p = zeros<char>(size_t(k.period - 1) * k.blockBytes + 31 * k.threadBytes + size_t(k.count - 1) * k.step + 128);
    auto out = zeros<int>(k.blocks * 32);
    EXPECT_EQ(launch(function(loadText(walk(k.cache)), "walk"), {k.blocks}, {32}, 0, p, out, k.period, k.blockBytes,
                     k.threadBytes, k.step, k.count),
              0)
        << findings();
    json c = counters();
    const unsigned stores = k.blocks * 128;
    EXPECT_EQ(c["dram_written_bytes"], stores);
    c["l2_bytes"] = c["l2_bytes"].get<unsigned>() - stores;
    c["global_sectors"] = c["global_sectors"].get<unsigned>() - stores / 32;
    return c;
  }
};

TEST_F(Counters, AStreamIsReadOnceFromDram) {
  json c = run({16, 16, 4096, 4, 128, 32});
  EXPECT_EQ(c["global_sectors"], 16 * 128);
  EXPECT_EQ(c["l2_bytes"], 65536);
  EXPECT_EQ(c["dram_read_bytes"], 65536);
  EXPECT_DOUBLE_EQ(c["global_sectors_per_request"], 4);
  EXPECT_EQ(c["global_requests_by_width"], json({{"4", 16 * 32 + 16}}));
}

TEST_F(Counters, AStrideOfALineCostsASectorALane) {
  json c = run({1, 1, 0, 128, 4, 8});
  EXPECT_EQ(c["global_sectors"], 8 * 32);
  EXPECT_EQ(c["global_sectors_at_best"], 8 * 4 + 4);
  EXPECT_EQ(c["l2_bytes"], 32 * 32) << "the seven other words of each sector come from L1";
  EXPECT_EQ(c["dram_read_bytes"], 32 * 32);
}

TEST_F(Counters, L1ServesABlockAndL2TheBlocks) {
  // Every block reads the same 128 bytes 50 times.
  json c = run({10, 1, 0, 4, 0, 50});
  EXPECT_EQ(c["global_sectors"], 10 * 50 * 4);
  EXPECT_EQ(c["l2_bytes"], 10 * 128);
  EXPECT_EQ(c["dram_read_bytes"], 128);
  c = run({10, 1, 0, 4, 0, 50, ".cg"});
  EXPECT_EQ(c["l2_bytes"], 10 * 50 * 128) << "not cached in L1";
  EXPECT_EQ(c["dram_read_bytes"], 128);
}

TEST_F(Counters, WhatL2LostIsReadAgain) {
  // Waves of 640 blocks on a T4 read the same 5 MiB; its L2 keeps 1.7 MiB of them.
  json c = run({1280, 640, 8192, 4, 128, 64});
  const double once = 640 * 8192;
  EXPECT_EQ(c["l2_bytes"], 2 * 640 * 8192);
  const double share = c["dram_read_bytes"].get<double>() / once;
  if (arch == 75) {
    EXPECT_GT(share, 1.5);
    EXPECT_LT(share, 1.8);
  } else {
    EXPECT_EQ(share, 1);
  }
}

TEST_F(Counters, BankConflicts) {
  const int n = 128;
  auto x = zeros<float>(n * n), out = zeros<float>(n * n);
  void *module = load("basics");
  ASSERT_EQ(launch(function(module, "transposeConflicts"), {4, 4}, {32, 8}, 0, x, out, n), 0) << findings();
  EXPECT_DOUBLE_EQ(counters()["bank_conflict_degree"], 16.5) << "stores without, loads with 32-way conflicts";
  ASSERT_EQ(launch(function(module, "transposePadded"), {4, 4}, {32, 8}, 0, x, out, n), 0) << findings();
  EXPECT_DOUBLE_EQ(counters()["bank_conflict_degree"], 1);
  EXPECT_GT(counters()["warp_instructions_by_pipe"]["shared"], 0);
}

// Rows of a matrix `step` bytes apart.
TEST_F(Counters, BankConflictsOfMatrixLoads) {
  const char *text = ".version 6.5\n.target sm_75\n.address_size 64\n.visible .entry rows(.param .u32 step)\n{\n"
                     ".reg .pred %p<2>;\n.reg .b32 %r<9>;\n.shared .align 16 .b8 s[4096];\nld.param.u32 %r1, [step];\n"
                     "mov.u32 %r2, %tid.x;\nmov.u32 %r3, s;\nshl.b32 %r4, %r2, 7;\nadd.u32 %r4, %r3, %r4;\n"
                     "mov.u32 %r5, 0;\nmov.u32 %r7, 0;\nFILL:\nst.shared.u32 [%r4], %r5;\nadd.u32 %r4, %r4, 4;\n"
                     "add.u32 %r7, %r7, 1;\nsetp.ne.u32 %p1, %r7, 32;\n@%p1 bra FILL;\nbar.sync 0;\n"
                     "and.b32 %r6, %r2, 7;\nmad.lo.u32 %r6, %r6, %r1, %r3;\n"
                     "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r8}, [%r6];\nret;\n}\n";
  void *f = function(loadText(text), "rows");
  ASSERT_EQ(launch(f, {1}, {32}, 0, 16), 0) << findings();
  EXPECT_DOUBLE_EQ(counters()["matrix_load_degree"], 1)
      << "128 bytes in a row; the conflicts of the stores do not count";
  EXPECT_GT(counters()["bank_conflict_degree"], 1);
  ASSERT_EQ(launch(f, {1}, {32}, 0, 128), 0) << findings();
  EXPECT_DOUBLE_EQ(counters()["matrix_load_degree"], 8);
  ASSERT_EQ(launch(function(load("basics"), "transposePadded"), {4, 4}, {32, 8}, 0, zeros<float>(16384),
                   zeros<float>(16384), 128),
            0)
      << findings();
  EXPECT_EQ(counters()["matrix_load_degree"], 0) << "there is none";
}

TEST_F(Counters, TensorFlopByType) {
  if (arch < 80)
    GTEST_SKIP() << "wmma of bf16 and tf32 needs sm_80";
  void *module = load("matrix");
  // C = A B of 16 x 16 x 16 for f16, s8 and bf16, x 8 for tf32; the kernels loop over k.
  const int n = 32;
  auto a = zeros<float>(n * n), b = zeros<float>(n * n), c = zeros<float>(n * n);
  for (auto [kernel, type] :
       {std::pair{"wmmaHalf", "f16"}, {"wmmaBrain", "bf16"}, {"wmmaTf32", "tf32"}, {"wmmaInt8", "int8"}}) {
    ASSERT_EQ(launch(function(module, kernel), {2, 2}, {32}, 0, a, b, c, n, n, n), 0) << findings();
    EXPECT_EQ(counters()["tensor_flop"], json({{type, 2 * n * n * n}})) << kernel;
  }
}

// Warp `index` of a block counts to `slow` before the barrier if it is 0, to `fast` otherwise.
const char *const uneven =
    ".version 6.4\n.target sm_75\n.address_size 64\n.visible .entry uneven(.param .u32 slow, .param .u32 fast)\n{\n"
    ".reg .pred %p<2>;\n.reg .b32 %r<9>;\nld.param.u32 %r1, [slow];\nld.param.u32 %r2, [fast];\nmov.u32 %r3, %tid.x;\n"
    "setp.lt.u32 %p1, %r3, 32;\nselp.u32 %r4, %r1, %r2, %p1;\nLOOP:\nsub.u32 %r4, %r4, 1;\nsetp.ne.u32 %p1, %r4, 0;\n"
    "@%p1 bra LOOP;\nbar.sync 0;\nret;\n}\n";

TEST_F(Counters, WarpsWaitForTheSlowOne) {
  void *f = function(loadText(uneven), "uneven");
  ASSERT_EQ(launch(f, {1}, {128}, 0, 1000, 1000), 0) << findings();
  EXPECT_EQ(report()["stalls"], json::object()) << "all arrive at once";
  ASSERT_EQ(launch(f, {1}, {128}, 0, 1000, 10), 0) << findings();
  json r = report(), stall = r["stalls"]["bar.sync"];
  EXPECT_EQ(stall["waits"], 3);
  // 990 rounds of three instructions, of two clocks each.
  EXPECT_GE(stall["clocks"], 3 * 990 * 3 * 2);
  EXPECT_GT(stall["share"], 0.7);
  EXPECT_EQ(r["lines"][0]["ptx_line"], 17) << r["lines"][0];
  EXPECT_EQ(r["lines"][0]["bound"], "waits");
  EXPECT_NE(r["lines"][0]["why"].get<std::string>().find("warps wait"), std::string::npos);
  EXPECT_EQ(r["timeline"]["first_block"]["waits"].size(), 3u);
  EXPECT_EQ(r["timeline"]["first_block"]["waits"][0][1], "bar.sync");
  EXPECT_EQ(r["timeline"]["first_block"]["warp_end_clocks"].size(), 4u);
}

TEST_F(Counters, MoreStagesOfCopiesWaitLess) {
  if (arch < 80)
    GTEST_SKIP() << "cp.async needs sm_80";
  void *module = load("matrix");
  const int n = 128, k = 640;
  auto a = zeros<uint16_t>(size_t(n * k)), b = zeros<uint16_t>(size_t(n * k));
  auto c = zeros<float>(n * n);
  double clocks[2] = {};
  for (int i : {0, 1}) {
    const unsigned stages = i ? 4 : 2, shared = stages * (64 * 40 + 32 * 72) * 2;
    ASSERT_EQ(launch(function(module, "gemm" + std::to_string(stages)), {2, 2}, {128}, shared, a, b, c, n, k), 0)
        << findings();
    clocks[i] = report()["stalls"]["cp.async"]["clocks"].get<double>();
  }
  EXPECT_GT(clocks[1], 0);
  EXPECT_LT(clocks[1], 0.7 * clocks[0]);
}

TEST_F(Counters, RemarksNameWhatLimits) {
  auto says = [&](const std::string &what) {
    const json all = report()["remarks"];
    for (const json &remark : all)
      if (remark.get<std::string>().find(what) != std::string::npos)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << all;
  };
  run({1, 1, 0, 4, 4, 8});
  EXPECT_TRUE(says("the kernel is too small for the chip"));
  EXPECT_TRUE(says("1 blocks leave "));
  // 4 KiB apart, and as many blocks as to fill the chip with more than one wave.
  run({6000, 64, 65536, 4096, 32, 60});
  EXPECT_TRUE(says("Bound by "));
  EXPECT_TRUE(says("Global memory: 3")) << "about 32 sectors a request";
  if (arch == 75) {
    run({1280, 640, 8192, 4, 128, 64});
    EXPECT_TRUE(says("L2 loses data between waves of blocks"));
  }
  void *f = function(loadText(uneven), "uneven");
  ASSERT_EQ(launch(f, {1}, {128}, 0, 4000, 10), 0) << findings();
  EXPECT_TRUE(says("% of their time for bar.sync"));
  ASSERT_EQ(launch(f, {400}, {4}, 0, 4000, 10), 0) << findings();
  EXPECT_TRUE(says("Divergence: 4.0 of 32 lanes"));
  const int n = 1024;
  auto x = zeros<float>(n * n), out = zeros<float>(n * n);
  ASSERT_EQ(launch(function(load("basics"), "transposeConflicts"), {32, 32}, {32, 8}, 0, x, out, n), 0) << findings();
  EXPECT_TRUE(says("Shared memory: bank conflicts cost 16.5 passes for one"));
}

// 60 values that live at once under a bound of 24 registers; and 200 that leave room for few warps.
TEST_F(Counters, RemarksOnRegistersSpillsAndSharedMemory) {
  auto kernel = [&](int values, const std::string &directives) {
    std::string text = ".version 6.4\n.target sm_75\n.address_size 64\n.visible .entry k(.param .u64 p) " + directives +
                       "\n{\n.reg .b32 %r<220>;\n.reg .b64 %rd<2>;\nld.param.u64 %rd1, [p];\n";
    for (int i = 0; i < values; ++i)
      text += "ld.global.u32 %r" + std::to_string(i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
    for (int i = 0; i < values; ++i)
      text += "st.global.u32 [%rd1+" + std::to_string(4 * i) + "], %r" + std::to_string(i) + ";\n";
    return function(loadText(text + "ret;\n}\n"), "k");
  };
  auto p = zeros<int>(256);
  ASSERT_EQ(launch(kernel(60, ".maxnreg 24"), {1}, {32}, 0, p), 0) << findings();
  EXPECT_EQ(counters()["spill_bytes"], 160);
  EXPECT_NE(report()["remarks"].dump().find("160 bytes a thread are spilled"), std::string::npos);
  ASSERT_EQ(launch(kernel(200, ""), {2000}, {64}, 0, p), 0) << findings();
  EXPECT_NE(report()["remarks"].dump().find("204 registers a thread leave 8 of "), std::string::npos)
      << report()["remarks"];
  ASSERT_EQ(launch(kernel(4, ""), {2000}, {32}, 40000, p), 0) << findings();
  EXPECT_NE(report()["remarks"].dump().find("Shared memory (40000 bytes a block) leaves "), std::string::npos)
      << report()["remarks"];
}

} // namespace
