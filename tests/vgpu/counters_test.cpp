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

} // namespace
