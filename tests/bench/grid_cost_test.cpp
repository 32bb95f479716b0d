// What the order and the cutting of a grid are for, on the virtual GPUs' counters and modelled times: raster order
// moves fewer bytes, and few outputs with a long k are done sooner in parts.
#include "bench/op_cases.h"
#include "compiler/compile.h"
#include "ops/gemm_merge.h"
#include "ops/gemm_split.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tessera::bench {
namespace {

struct Measured {
  double us = 0, dramBytes = 0;
};

Result<Measured> run(const Device &device, std::string_view name, const ops::OpRequest &request,
                     const Schedule &schedule) {
  const ops::OpInfo &op = *TESSERA_TRY(ops::findOp(name));
  Program program = TESSERA_TRY(op.trace(request, device.target()));
  Artifact artifact = TESSERA_TRY(compile(program, device.target(), schedule));
  LoadedKernel kernel = TESSERA_TRY(LoadedKernel::load(device, artifact));
  auto arguments = TESSERA_TRY(argumentsOf(device, program.signature, sizesOf(op, request.sizes)));
  Stream stream = TESSERA_TRY(device.stream());
  TESSERA_TRY(kernel.launchAll(stream, arguments->args));
  TESSERA_TRY(stream.synchronize());
  auto report = nlohmann::json::parse(device.impl().launchReport());
  const auto &counters = report["counters"];
  Measured measured{report["modelled_us"].get<double>(),
                    counters["dram_read_bytes"].get<double>() + counters["dram_written_bytes"].get<double>()};
  std::printf("%s %s %s: %.2f us modelled, %.2f MB of DRAM\n", std::string(device.target().name).c_str(),
              std::string(name).c_str(), shapeText(request.sizes).c_str(), measured.us, measured.dramBytes / 1e6);
  return measured;
}

// Operands that L2 cannot hold, read by programs of several waves.
TEST(Raster, MovesFewerBytes) {
  Device device = Device::open("virtual:t4").value();
  ops::OpRequest request{f16, "bm=128,bn=128,bk=32", {{"M", 8192}, {"N", 512}, {"K", 512}}};
  Result<Measured> plain = run(device, "gemm", request, {.raster = 1}), grouped = run(device, "gemm", request, {});
  ASSERT_TRUE(plain && grouped);
  EXPECT_LT(grouped->dramBytes, 0.9 * plain->dramBytes);
  EXPECT_LE(grouped->us, plain->us);
}

class SplitOn : public testing::TestWithParam<int64_t> {};

// Both launches of the split product against the one of the whole.
TEST_P(SplitOn, LongSumsAreDoneSooner) {
  Device device = Device::open("virtual:a100").value();
  int64_t size = GetParam(), k = 8192;
  ops::Sizes sizes{{"M", size}, {"N", size}, {"K", k}};
  ops::GemmSplit op{.in = f16};
  int64_t splits = ops::GemmSplit::splitsFor(op.defaultConfig(device.target(), size), sizes, 108);
  Result<Measured> whole = run(device, "gemm", {f16, "", sizes}, {});
  sizes["splits"] = splits;
  Result<Measured> parts = run(device, "gemm_split", {f16, "", sizes}, {});
  Result<Measured> merge = run(device, "gemm_merge", {f16, "", {{"M", size}, {"N", size}, {"splits", splits}}}, {});
  ASSERT_TRUE(whole && parts && merge);
  EXPECT_LT(parts->us + merge->us, whole->us / 2) << splits << " parts";
}
INSTANTIATE_TEST_SUITE_P(, SplitOn, testing::Values(128, 256));

// Both launches of a stream-K product against the one of the whole. The first shape has a few blocks more than the chip
// has multiprocessors: a second round that is mostly idle, or equal shares of all steps. (A persistent grid, whose
// blocks have one program or two, is not compared: the model deals a launch's work evenly among its blocks.)
TEST(Stream, EqualSharesAreDoneSooner) {
  for (auto [chip, workers, product] :
       {std::tuple<std::string, int64_t, ops::Sizes>{"t4", 40, {{"M", 512}, {"N", 1408}, {"K", 2048}}},
        {"a100", 108, {{"M", 256}, {"N", 256}, {"K", 8192}}}}) {
    Device device = Device::open("virtual:" + chip).value();
    ops::Sizes shared = product;
    shared["workers"] = workers;
    Result<Measured> whole = run(device, "gemm", {f16, "", product}, {});
    Result<Measured> stream = run(device, "gemm_stream", {f16, "", shared}, {});
    Result<Measured> fix = run(device, "gemm_fix", {f16, "", shared}, {});
    ASSERT_TRUE(whole && stream && fix);
    EXPECT_LT(stream->us + fix->us, whole->us) << chip;
  }
}

} // namespace
} // namespace tessera::bench
