// What a step of GEMM is on Hopper, counted in its PTX and by the virtual GPU: wgmma, and little beside.
#include "bench/kernel_timer.h"
#include "bench/op_cases.h"
#include "compiler/compile.h"
#include "tests/bench/ptx_loop.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tessera::bench {
namespace {

class WarpgroupLoop : public testing::TestWithParam<DType> {
protected:
  const ops::OpInfo &op = **ops::findOp("gemm");
  ops::Sizes sizes = {{"M", 512}, {"N", 512}, {"K", 256}, {"transposed", info(GetParam()).bits == 8}};
};

// wgmma with its fences and waits, 25 instructions of a consumer beside them at most.
TEST_P(WarpgroupLoop, HasFewOtherInstructions) {
  const Target &target = **findTarget("h100");
  Artifact made = compile(op.trace({GetParam(), "", sizes}, target).value(), target).value();
  std::vector<PtxLoop> loops = matrixLoops(made.bytes, made.alignedEntry);
  ASSERT_FALSE(loops.empty());
  for (const PtxLoop &loop : loops) {
    std::printf("%s: wgmma %ld, others %ld\n", std::string(name(GetParam())).c_str(), long(loop.wgmma),
                long(loop.other));
    EXPECT_EQ(loop.mma + loop.ldmatrix, 0);
    EXPECT_LE(loop.other, 25);
  }
}

TEST_P(WarpgroupLoop, RunsWithoutFindings) {
  Device device = Device::open("virtual:h100").value();
  Program program = op.trace({GetParam(), "", sizes}, device.target()).value();
  LoadedKernel kernel = load(device, program).value();
  auto arguments = argumentsOf(device, program.signature, sizesOf(op, sizes)).value();
  Stream stream = device.stream().value();
  ASSERT_TRUE(kernel.launchAll(stream, arguments->args));
  ASSERT_TRUE(stream.synchronize());
  auto report = nlohmann::json::parse(device.impl().launchReport());
  EXPECT_TRUE(report["findings"].empty());
  std::printf("%s: %.2f us modelled\n", std::string(name(GetParam())).c_str(), report["modelled_us"].get<double>());
}

INSTANTIATE_TEST_SUITE_P(, WarpgroupLoop, testing::Values(f16, bf16, e4m3, i8),
                         [](const auto &dtype) { return std::string(name(dtype.param)); });

} // namespace
} // namespace tessera::bench
