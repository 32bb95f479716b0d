// What ops move on GPUs, counted by the virtual ones: decode products and norms hardly more than they must.
#include "bench/kernel_timer.h"
#include "bench/op_cases.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tessera::bench {
namespace {

struct Traffic {
  std::string op;
  ops::OpRequest request;
};

std::string title(const Traffic &traffic) {
  DType dtype = traffic.request.dtype.value_or((*ops::findOp(traffic.op))->dtypes[0]);
  return traffic.op + " " + std::string(name(dtype)) + " " + shapeText(traffic.request.sizes);
}

// Bytes that one launch reads from and writes to DRAM, over the least that it must.
Result<double> measure(const Device &device, const Traffic &traffic) {
  const ops::OpInfo &op = *TESSERA_TRY(ops::findOp(traffic.op));
  Program program = TESSERA_TRY(op.trace(traffic.request, device.target()));
  LoadedKernel kernel = TESSERA_TRY(load(device, program));
  auto arguments = TESSERA_TRY(argumentsOf(device, program.signature, sizesOf(op, traffic.request.sizes)));
  Stream stream = TESSERA_TRY(device.stream());
  TESSERA_TRY(kernel.launchAll(stream, arguments->args));
  TESSERA_TRY(stream.synchronize());
  auto report = nlohmann::json::parse(device.impl().launchReport());
  const auto &counters = report["counters"];
  double dram = counters["dram_read_bytes"].get<double>() + counters["dram_written_bytes"].get<double>();
  double ratio = dram / TESSERA_TRY(op.cost(traffic.request)).bytes;
  std::printf("%-12s %-44s %.3f x the least, l2 %.2f x, %.1f us modelled\n", std::string(device.target().name).c_str(),
              title(traffic).c_str(), ratio, counters["l2_bytes"].get<double>() / dram,
              report["modelled_us"].get<double>());
  return ratio;
}

class TrafficOn : public testing::TestWithParam<std::string> {
protected:
  static void check(std::span<const Traffic> all) {
    Device device = Device::open("virtual:" + GetParam()).value();
    for (const Traffic &traffic : all) {
      Result<double> ratio = measure(device, traffic);
      ASSERT_TRUE(ratio) << title(traffic) << ": " << ratio.error().message;
      EXPECT_LE(*ratio, 1.1) << title(traffic);
    }
  }
};

TEST_P(TrafficOn, DecodeProducts) {
  std::vector<Traffic> all;
  for (DType weight : {q4_1, q8_0, q6_k, panel_f16})
    all.push_back({"quant_matmul", {weight, "", {{"M", 1}, {"N", 576}, {"K", 1536}}}});
  all.push_back({"quant_matmul", {q4_1, "", {{"M", 1}, {"N", 3072}, {"K", 576}}}});
  all.push_back({"gemm", {f16, "", {{"M", 1}, {"N", 576}, {"K", 1536}}}});
  check(all);
}

TEST_P(TrafficOn, Norms) {
  const Traffic all[] = {{"rms_norm", {f32, "", {{"T", 64}, {"D", 576}}}},
                         {"rms_norm", {f32, "", {{"T", 8}, {"D", 4096}, {"residual", 1}}}},
                         {"layer_norm", {f32, "", {{"T", 16}, {"D", 1024}}}},
                         {"softmax", {f32, "", {{"R", 8}, {"C", 4096}}}}};
  check(all);
}

INSTANTIATE_TEST_SUITE_P(, TrafficOn, testing::Values("t4", "a10g", "a100", "h100"),
                         [](const auto &chip) { return chip.param; });

} // namespace
} // namespace tessera::bench
