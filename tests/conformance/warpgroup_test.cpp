// Products that Hopper's warpgroups multiply (wgmma), their operands brought by tensor maps or by the threads, against
// the oracle: whole tiles, ragged ones, rows that are not aligned, steps fewer and more than the ring has slots.
#include "compiler/compile.h"
#include "ops/gemm.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "tests/conformance/attention_case.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace tessera;
using namespace tessera::conformance;
using reference::MatmulShape;

namespace {

const Target &hopper() { return **findTarget("h100"); }

std::string text(MatmulShape s) { return std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k); }
std::vector<float> rounded(DType dtype, std::vector<float> values) {
  return reference::decode(dtype, reference::encode(dtype, values));
}
// B as a `transposed` gemm takes it.
std::vector<float> turned(const std::vector<float> &b, MatmulShape s) {
  std::vector<float> rows(b.size());
  for (int64_t k = 0; k < s.k; ++k)
    for (int64_t n = 0; n < s.n; ++n)
      rows[size_t(n * s.k + k)] = b[size_t(k * s.n + n)];
  return rows;
}

std::vector<float> run(ops::Gemm op, MatmulShape s, ops::Gemm::Config config, const std::vector<float> &a,
                       const std::vector<float> &b, Schedule schedule = {}) {
  Argument c = Argument::out(op.out, {s.m, s.n});
  Argument B = op.transposed ? Argument::in(op.in, {s.n, s.k}, turned(b, s)) : Argument::in(op.in, {s.k, s.n}, b);
  EXPECT_TRUE(launch(hopper(), trace(op, config), {Argument::in(op.in, {s.m, s.k}, a), B, c}, schedule));
  return c.floats();
}

void check(ops::Gemm op, MatmulShape s, ops::Gemm::Config config) {
  std::vector<float> a = rounded(op.in, randomFloats(s.m * s.k, 1)), b = rounded(op.in, randomFloats(s.k * s.n, 2));
  EXPECT_LE(reference::nmse(run(op, s, config, a, b), reference::gemm<double>(s, widen(a), widen(b))), 1e-6)
      << name(op.in) << " " << text(s) << (op.transposed ? " transposed" : "") << " " << configText(config);
}

constexpr MatmulShape shapes[] = {{128, 256, 256}, {200, 264, 72}, {64, 24, 640},
                                  {33, 40, 8},     {129, 67, 70},  {1, 1, 1}};

TEST(Warpgroup, DefaultsAgreeWithTheOracle) {
  for (DType dtype : {f16, bf16})
    for (bool transposed : {false, true})
      for (MatmulShape s : shapes) {
        ops::Gemm op{.in = dtype, .out = f32, .transposed = transposed};
        check(op, s, op.defaultConfig(hopper(), 128));
      }
}

// Halves leave the accumulators by stmatrix.
TEST(Warpgroup, NarrowOutputsAreTheRoundedWideOnes) {
  MatmulShape s{200, 264, 72};
  for (DType dtype : {f16, bf16}) {
    std::vector<float> a = randomFloats(s.m * s.k, 1), b = randomFloats(s.k * s.n, 2);
    ops::Gemm wide{.in = dtype, .out = f32}, narrow{.in = dtype, .out = dtype};
    ops::Gemm::Config config = wide.defaultConfig(hopper(), 128);
    EXPECT_EQ(run(narrow, s, config, a, b), rounded(dtype, run(wide, s, config, a, b))) << name(dtype);
  }
}

// Rows of 32, 64 and 128 bytes, two panels of them, three of 64 and five of 32, one and two warpgroups.
TEST(Warpgroup, AnyTileAgreesWithTheOracle) {
  for (bool transposed : {false, true})
    for (ops::Gemm::Config config :
         {ops::Gemm::Config{64, 16, 32}, {64, 32, 32}, {128, 128, 64}, {128, 256, 128}, {64, 96, 80}, {64, 80, 96}})
      check({.in = f16, .out = f32, .transposed = transposed}, {200, 264, 200}, config);
}

// A block that stays keeps its ring: slots and phases go on from program to program, whatever the steps of one are
// beside the slots, and what is stored by the copy engine is read before it is written anew.
TEST(Warpgroup, ProgramsThatStayGoOnWithTheirRing) {
  ops::Gemm::Config config{64, 32, 64};
  for (MatmulShape s : {MatmulShape{1000, 400, 320}, {960, 392, 64}, {1016, 384, 200}, {100, 40, 72}})
    for (DType out : {f16, f32}) {
      ops::Gemm op{.in = f16, .out = out};
      std::vector<float> a = randomFloats(s.m * s.k, 1), b = randomFloats(s.k * s.n, 2),
                         plain = run(op, s, config, a, b);
      for (Schedule schedule :
           {Schedule{.persistent = 1}, {.stages = 2, .persistent = 1}, {.stages = 3, .persistent = 1}})
        EXPECT_EQ(run(op, s, config, a, b, schedule), plain) << text(s) << " " << schedule.text();
    }
}

TEST(Warpgroup, BlocksThatStayHaveProducers) {
  for (DType out : {f16, f32}) {
    ops::Gemm op{.in = f16, .out = out};
    Program program = trace(op, op.defaultConfig(hopper(), 512)).value();
    Artifact artifact = compile(program, hopper(), {.persistent = 1}).value();
    EXPECT_EQ(artifact.tensorMaps.size(), 3u);
    EXPECT_GT(artifact.alignedThreads, artifact.block.threads[0]);
  }
}

// A loop in a loop, and two loops one after the other, go through one ring.
TEST(Warpgroup, SplitAttentionAgreesWithTheOracle) {
  for (int headDim : {64, 80}) {
    ops::Attention op{2, 1, headDim, 64, f16};
    op.compute = f16;
    op.split = 128;
    check(hopper(), Sequences{op, {330, 71}}, 70);
    check(hopper(), Sequences{op, {450}}, 130);
    Artifact artifact = compile(trace(op, op.defaultConfig(hopper(), 128)).value(), hopper()).value();
    EXPECT_GE(artifact.tensorMaps.size(), 2u) << headDim;
    EXPECT_GT(artifact.alignedThreads, artifact.block.threads[0]) << headDim;
  }
}

TEST(Warpgroup, EightBitFloatsAgreeWithTheOracle) {
  for (DType dtype : {e4m3, e5m2})
    for (MatmulShape s : {MatmulShape{128, 128, 256}, {70, 48, 144}, {33, 17, 50}}) {
      ops::Gemm op{.in = dtype, .out = f32, .transposed = true};
      check(op, s, op.defaultConfig(hopper(), 128));
    }
}

// A long k, also of values that do not cancel, where what a tensor core cuts off adds up
// (TESSERA_VGPU_TC_MODEL=truncate has it keep 14 bits; its own sums then err by 4e-6 and 4e-3).
TEST(Warpgroup, EightBitFloatsOfALongKAgreeWithTheOracle) {
  MatmulShape s{70, 48, 4096};
  for (DType dtype : {e4m3, e5m2})
    for (bool positive : {false, true}) {
      ops::Gemm op{.in = dtype, .out = f32, .transposed = true};
      std::vector<float> a = randomFloats(s.m * s.k, 1), b = randomFloats(s.k * s.n, 2);
      for (std::vector<float> *x : {&a, &b})
        for (float &v : *x)
          v = positive ? std::fabs(v) : v;
      a = rounded(dtype, a), b = rounded(dtype, b);
      std::vector<float> c = run(op, s, op.defaultConfig(hopper(), 128), a, b);
      EXPECT_LE(reference::nmse(c, reference::gemm<double>(s, widen(a), widen(b))), positive ? 1e-5 : 1e-6)
          << name(dtype) << (positive ? " positive" : "");
    }
}

// Keys and values come page by page; what a page holds beyond the sequence is NaN, and must not be multiplied by 0.
TEST(Warpgroup, AttentionAgreesWithTheOracle) {
  for (DType dtype : {f16, bf16})
    for (ops::Attention op : {ops::Attention{4, 2, 128, 64, dtype},
                              {9, 3, 64, 64, dtype},
                              {2, 1, 80, 32, dtype},
                              {2, 1, 80, 64, dtype},
                              {3, 3, 96, 64, dtype},
                              {2, 1, 112, 64, dtype},
                              {2, 2, 64, 128, dtype, {.softCap = 30, .causal = false}}}) {
      op.compute = dtype;
      check(hopper(), Sequences{op, {130, 71}}, 70);
      check(hopper(), Sequences{op, {64}}, 64);
      check(hopper(), Sequences{op, {150}}, 130);
    }
}

TEST(Warpgroup, AttentionComesByTensorMaps) {
  for (int headDim : {64, 80, 96, 112, 128}) {
    ops::Attention op{8, 2, headDim, 64, f16};
    op.compute = f16;
    Artifact artifact = compile(trace(op, op.defaultConfig(hopper(), 128)).value(), hopper()).value();
    EXPECT_EQ(artifact.tensorMaps.size(), 3u) << headDim; // and the output
    EXPECT_EQ(artifact.bytes.find("mma.sync"), std::string::npos) << headDim;
  }
}

// Which instructions the two entries are made of.
TEST(Warpgroup, AlignedProductsComeByTensorMaps) {
  ops::Gemm op{.in = f16, .out = f16};
  Artifact artifact = compile(trace(op, op.defaultConfig(hopper(), 128)).value(), hopper()).value();
  size_t aligned = artifact.bytes.find(".entry " + artifact.alignedEntry);
  ASSERT_NE(aligned, std::string::npos);
  EXPECT_EQ(artifact.tensorMaps.size(), 3u);
  EXPECT_NE(artifact.bytes.find("wgmma.mma_async", aligned), std::string::npos);
  EXPECT_NE(artifact.bytes.find("cp.async.bulk.tensor.2d.shared::cluster.global", aligned), std::string::npos);
  EXPECT_NE(artifact.bytes.find("cp.async.bulk.tensor.2d.global.shared::cta", aligned), std::string::npos);
  EXPECT_EQ(artifact.bytes.find("st.global", aligned), std::string::npos);
  EXPECT_EQ(artifact.bytes.find("mma.sync"), std::string::npos);
  EXPECT_LT(artifact.bytes.find("wgmma.mma_async"), aligned); // the general entry multiplies so too
}

} // namespace
