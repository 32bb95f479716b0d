// What default kernels take of a GPU: registers and spills as NVIDIA's assembler tells them, the width of their
// accesses and the conflicts of their matrix loads as the virtual GPUs count them. bench/resources.py has every row.
#include "bench/kernel_timer.h"
#include "bench/op_cases.h"
#include "compiler/assembler.h"
#include "compiler/compile.h"
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>

namespace tessera::bench {
namespace {

struct Kernel {
  std::string op;
  ops::OpRequest request;
};

std::string title(const Kernel &kernel) {
  return kernel.op + " " + std::string(kernel.request.dtype ? name(*kernel.request.dtype) : "") + " " +
         shapeText(kernel.request.sizes);
}

class ResourcesOn : public testing::TestWithParam<std::string> {
protected:
  // Both entries, as the assembler tells them.
  static std::array<ResourceReport, 2> resourcesOf(const Assembler &assembler, const Kernel &kernel) {
    const Target &target = **findTarget(GetParam());
    Artifact made = compile((*ops::findOp(kernel.op))->trace(kernel.request, target).value(), target).value();
    EXPECT_TRUE(assemble(assembler, target, made));
    return {made.resources, made.alignedResources};
  }
};

TEST_P(ResourcesOn, NormsTakeFewRegisters) {
  std::optional<Assembler> assembler = *findAssembler();
  if (!assembler)
    GTEST_SKIP() << "no ptxas on PATH or in CUDA_HOME";
  std::vector<Kernel> norms = {{"layer_norm", {}}, {"group_norm", {}}};
  for (DType dtype : {f32, f16, i8})
    norms.push_back({"rms_norm", {dtype, "", {{"residual", 1}}}});
  for (const Kernel &norm : norms)
    for (const ResourceReport &entry : resourcesOf(*assembler, norm)) {
      EXPECT_LE(entry.registers, 40) << title(norm);
      EXPECT_EQ(entry.spillBytes + entry.scratchBytes, 0) << title(norm);
    }
}

TEST_P(ResourcesOn, FloatWeightsSpillNothing) {
  std::optional<Assembler> assembler = *findAssembler();
  if (!assembler)
    GTEST_SKIP() << "no ptxas on PATH or in CUDA_HOME";
  for (const ops::OpRequest &request :
       {ops::OpRequest{panel_f16, "", {{"M", 1}}}, {f32, "", {{"M", 16}}}, {panel_f32, "", {{"M", 64}}}})
    for (const ResourceReport &entry : resourcesOf(*assembler, {"quant_matmul", request}))
      EXPECT_EQ(entry.spillBytes + entry.scratchBytes, 0) << title({"quant_matmul", request});
}

// Heads of several sizes, by threads and by tensor cores, whole and in splits. bench/resources.py has the whole grid.
TEST_P(ResourcesOn, AttentionSpillsNothing) {
  std::optional<Assembler> assembler = *findAssembler();
  if (!assembler)
    GTEST_SKIP() << "no ptxas on PATH or in CUDA_HOME";
  const std::multimap<std::string, ops::OpRequest> requests = {
      {"t4", {f16, "", {{"queries", 64}}}},
      {"t4", {bf16, "", {{"queries", 64}, {"headDim", 128}, {"bf16", 1}}}},
      {"a100", {f16, "", {{"queries", 64}}}},
      {"a100", {f32, "", {{"queries", 64}, {"headDim", 96}}}},
      {"h100", {bf16, "", {{"queries", 1}, {"headDim", 256}}}},
      {"h100", {f16, "", {{"queries", 64}, {"headDim", 128}, {"f16", 1}, {"split", 512}}}}};
  for (auto [at, end] = requests.equal_range(GetParam()); at != end; ++at)
    for (const ResourceReport &entry : resourcesOf(*assembler, {"attention", at->second}))
      EXPECT_EQ(entry.spillBytes + entry.scratchBytes, 0) << title({"attention", at->second});
}

TEST_P(ResourcesOn, AlignedOperandsMoveSixteenBytesAnAccess) {
  Device device = Device::open("virtual:" + GetParam()).value();
  std::vector<Kernel> all;
  for (const char *op : {"silu", "gelu", "add", "scale", "soft_cap", "gelu_and_mul", "layer_norm"})
    all.push_back({op, {f32, "", {{"T", 2}}}});
  all.push_back({"rms_norm", {f32, "", {{"T", 2}, {"D", 1024}}}});
  all.push_back({"softmax", {f32, "", {{"R", 2}, {"C", 2048}}}});
  all.push_back({"pack", {i8, "", {{"N", 64}, {"K", 64}}}});
  all.push_back({"quant_matmul", {panel_f16, "", {{"M", 16}, {"N", 64}, {"K", 64}}}});
  for (const char *op : {"gemm", "gemm_split", "gemm_stream"})
    all.push_back({op, {f16, "", {{"M", 128}, {"N", 128}, {"K", 128}}}});
  for (const Kernel &kernel : all) {
    const ops::OpInfo &op = **ops::findOp(kernel.op);
    Program program = op.trace(kernel.request, device.target()).value();
    LoadedKernel loaded = load(device, program).value();
    auto arguments = argumentsOf(device, program.signature, sizesOf(op, kernel.request.sizes)).value();
    Stream stream = device.stream().value();
    ASSERT_TRUE(loaded.launchAll(stream, arguments->args) && stream.synchronize());
    auto report = nlohmann::json::parse(device.impl().launchReport());
    const auto &counters = report["counters"];
    EXPECT_TRUE(report["findings"].empty()) << title(kernel);
    for (const auto &[bytes, requests] : counters["global_requests_by_width"].items())
      EXPECT_EQ(bytes, "16") << title(kernel) << ": " << requests;
    EXPECT_LE(counters["matrix_load_degree"].get<double>(), 1.0) << title(kernel);
  }
}

INSTANTIATE_TEST_SUITE_P(, ResourcesOn, testing::Values("t4", "a100", "h100"),
                         [](const auto &chip) { return chip.param; });

} // namespace
} // namespace tessera::bench
