// How a product is planned for a chip: few outputs with a long k in parts, sooner done, with bits that no batch
// changes.
#include "base/multiprocessors.h"
#include "bench/kernel_timer.h"
#include "bench/op_cases.h"
#include "runtime/gemm_runner.h"
#include "runtime/vgpu/exec/chips.h"
#include <bit>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

namespace tessera::bench {
namespace {

const Target &row(std::string_view name) { return **findTarget(name); }

std::string planOf(const ops::Gemm &op, std::string_view chip, int64_t m, int64_t n, int64_t k) {
  ops::GemmPlan plan = ops::planGemm(op, {{"M", m}, {"N", n}, {"K", k}}, row(chip));
  return std::to_string(plan.config.bm) + "x" + std::to_string(plan.config.bn) + " in " + std::to_string(plan.splits);
}

TEST(GemmPlan, FewOutputsWithALongKAreCut) {
  ops::Gemm half{.in = f16, .out = f16};
  EXPECT_EQ(planOf(half, "t4", 1, 576, 4096), "16x64 in 4"); // 9 blocks for 40 multiprocessors
  EXPECT_EQ(planOf(half, "a100", 1, 576, 4096), "16x64 in 12");
  EXPECT_EQ(planOf(half, "h100", 1, 576, 14336), "16x64 in 14");
  EXPECT_EQ(planOf(half, "t4", 1, 4096, 14336), "16x128 in 1"); // enough to saturate memory
  EXPECT_EQ(planOf(half, "a100", 1, 4096, 4096), "16x64 in 1");
  EXPECT_EQ(planOf(half, "a100", 1, 576, 512), "16x64 in 1"); // too short for a second launch
  EXPECT_EQ(planOf(half, "a100", 256, 256, 8192), "128x128 in 27");
  EXPECT_EQ(planOf(half, "a100", 4096, 4096, 8192), "128x128 in 1");
  EXPECT_EQ(planOf({.in = e4m3}, "h100", 1, 576, 14336), "16x64 in 1"); // gemm_split does not take these
  EXPECT_EQ(planOf({.in = f16, .scaled = true}, "h100", 1, 576, 14336), "16x64 in 1");
  ops::Gemm::Config cpu = half.defaultConfig(row("cpu-avx2"), 1);
  EXPECT_EQ(planOf(half, "cpu-avx2", 1, 576, 14336), std::to_string(cpu.bm) + "x" + std::to_string(cpu.bn) + " in 1");
}

TEST(GemmPlan, SixteenRowsArePlannedLikeOne) {
  for (std::string_view chip : {"t4", "a10g", "a100", "l4", "h100"})
    for (int64_t n : {64, 576, 1536, 4096})
      for (int64_t m = 2; m <= 16; ++m)
        EXPECT_EQ(planOf({.in = f16}, chip, m, n, 8192), planOf({.in = f16}, chip, 1, n, 8192)) << chip << ' ' << m;
}

TEST(GemmPlan, CountsWhatTheVirtualChipsHave) {
  for (const Target &target : targets())
    if (target.vendor == Vendor::cpu)
      EXPECT_EQ(multiprocessors(target), 0);
    else
      EXPECT_EQ(multiprocessors(target), int(vgpu::chipNamed(target.name)->sms)) << target.name;
}

class RunnerOn : public testing::TestWithParam<std::string> {
protected:
  Device device = Device::open("virtual:" + GetParam()).value();
  GemmRunner::Load loader() {
    return [this](const Program &program) { return load(device, program); };
  }
  Buffer filled(tessera::Shape shape, uint32_t seed) {
    Buffer buffer = device.alloc(f32, shape).value();
    std::vector<float> values(buffer.bytes() / 4);
    std::minstd_rand random(seed);
    for (float &value : values)
      value = float(random() % 2048) / 1024.0f - 1.0f;
    EXPECT_TRUE(buffer.copyFrom(values.data(), buffer.bytes()));
    return buffer;
  }
  std::vector<float> floats(const Buffer &buffer) {
    std::vector<float> values(buffer.bytes() / 4);
    EXPECT_TRUE(buffer.copyTo(values.data(), buffer.bytes()));
    return values;
  }
  // C of the first m rows of A.
  std::vector<float> product(int64_t m) {
    constexpr int64_t n = 64, k = 2048;
    ops::Gemm op{.in = f32, .out = f32};
    GemmRunner runner = GemmRunner::make(device, op, {{"M", m}, {"N", n}, {"K", k}}, loader()).value();
    EXPECT_GT(runner.plan().splits, 1);
    Buffer a = filled({m, k}, 1), b = filled({k, n}, 2), c = device.alloc(f32, {m, n}).value();
    Stream stream = device.stream().value();
    const Arg args[] = {a, b, c};
    EXPECT_TRUE(runner.launch(stream, args) && stream.synchronize());
    EXPECT_FALSE(runner.launch(stream, std::span(args, 2)));
    std::vector<float> left = floats(a), right = floats(b), got = floats(c);
    for (int64_t i = 0; i < m * n; ++i) {
      double want = 0;
      for (int64_t x = 0; x < k; ++x)
        want += double(left[i / n * k + x]) * double(right[x * n + i % n]);
      EXPECT_NEAR(got[i], want, 1e-3) << i;
    }
    return got;
  }
};

TEST_P(RunnerOn, PartsGiveTheProductWithTheSameBitsInEveryBatch) {
  std::vector<float> one = product(1), many = product(16);
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(std::bit_cast<uint32_t>(one[i]), std::bit_cast<uint32_t>(many[i])) << i;
}

// Modelled, both launches of the parts against the one of the whole in blocks as wide as without a plan.
TEST_P(RunnerOn, DecodingIsDoneSooner) {
  auto modelled = [&](std::string_view name, const ops::OpRequest &request) {
    const ops::OpInfo &op = **ops::findOp(name);
    Program program = op.trace(request, device.target()).value();
    LoadedKernel kernel = load(device, program).value();
    auto arguments = argumentsOf(device, program.signature, sizesOf(op, request.sizes)).value();
    Stream stream = device.stream().value();
    EXPECT_TRUE(kernel.launchAll(stream, arguments->args) && stream.synchronize());
    return nlohmann::json::parse(device.impl().launchReport())["modelled_us"].get<double>();
  };
  for (auto [n, k] : {std::pair<int64_t, int64_t>{576, 4096}, {576, 14336}}) {
    ops::Sizes sizes{{"M", 16}, {"N", n}, {"K", k}};
    ops::GemmPlan plan = ops::planGemm({.in = f16}, sizes, device.target());
    double whole = modelled("gemm", {f16, configText(ops::Gemm{.in = f16}.defaultConfig(device.target(), 16)), sizes});
    sizes["splits"] = plan.splits;
    double parts = modelled("gemm_split", {f16, configText(plan.config), sizes});
    double merge = modelled("gemm_merge", {f16, "", {{"M", 16}, {"N", n}, {"splits", plan.splits}}});
    std::printf("%s %ld x %ld: %.1f us whole, %.1f + %.1f in %ld parts\n", GetParam().c_str(), long(n), long(k), whole,
                parts, merge, long(plan.splits));
    EXPECT_LT(parts + merge, 0.8 * whole);
  }
}

INSTANTIATE_TEST_SUITE_P(, RunnerOn, testing::Values("t4", "a100", "h100"),
                         [](const auto &chip) { return chip.param; });

} // namespace
} // namespace tessera::bench
