// Kernels written in CUDA C++: through NVRTC to an artifact, launched and recorded beside kernels of the tile language.
#include "ops/pointwise.h"
#include "runtime/driver/nvrtc.h"
#include "runtime/engine.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace tessera::test {
namespace {

// y[i] = a * x[i] + y[i]. Line 5 is the one that stores; BEYOND moves it out of the buffer.
driver::CudaSource saxpy() {
  driver::CudaSource source;
  source.text = R"(#include <cuda_fp16.h>
extern "C" __global__ void saxpy(long long n, const __half *x, float *y, float a) {
  long long i = blockIdx.x * 128ll + threadIdx.x;
  if (i < n)
    y[i + BEYOND] = a * __half2float(x[i]) + y[i];
})";
  source.file = "kernels/saxpy.cu";
  source.signature.name = "saxpy";
  source.signature.dims = {"N"};
  source.signature.args = {
      {"x", ArgKind::in, f16, {{0}}}, {"y", ArgKind::inOut, f32, {{0}}}, {"a", ArgKind::scalar, f32, {}}};
  source.signature.grid = {{{0}, 128}};
  source.block.threads = {128, 1, 1};
  source.options = {"-DBEYOND=0"};
  return source;
}

class CudaSource : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    Result<Device> opened = Device::open(GetParam());
    if (!opened && GetParam() == "cuda:0")
      GTEST_SKIP() << "no real GPU here: " << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    device.emplace(*opened);
    Result<Artifact> made = driver::compileCuda(saxpy(), device->target());
    if (!made && made.error().blame == Blame::unsupported)
      GTEST_SKIP() << made.error().message;
    ASSERT_TRUE(made) << made.error().message;
    artifact = *made;
    x = device->upload(f16, {n}, std::span<const uint16_t>(std::vector<uint16_t>(n, 0x4000))).value(); // 2.0
    y = device->upload(f32, {n}, std::span<const float>(std::vector<float>(n, 1.f))).value();
  }
  std::vector<float> read(const Buffer &buffer) {
    std::vector<float> values(n);
    EXPECT_TRUE(buffer.copyTo(values.data(), n * 4));
    return values;
  }
  static constexpr int64_t n = 1000; // no multiple of the block
  std::optional<Device> device;
  Artifact artifact;
  Buffer x, y;
};

TEST_P(CudaSource, LaunchesWithTheChecksOfAnyKernel) {
  LoadedKernel kernel = LoadedKernel::load(*device, artifact).value();
  Stream stream = device->stream().value();
  Status launched = kernel.launch(stream, x, y, 3.f);
  ASSERT_TRUE(launched) << launched.error().message;
  ASSERT_TRUE(stream.synchronize());
  EXPECT_EQ(read(y), std::vector<float>(n, 7.f));
  EXPECT_FALSE(kernel.launch(stream, y, y, 3.f)); // x is f16
  EXPECT_FALSE(kernel.launch(stream, x, y));
}

// y = a x + y by hand, then y = 10 y by the tile language, recorded once and replayed.
TEST_P(CudaSource, JoinsARecordedGraph) {
  Engine engine(*device);
  LoadedKernel byHand = LoadedKernel::load(*device, artifact).value();
  LoadedKernel tenfold = engine.build(ops::Scale{}).value();
  Stream stream = device->stream().value();
  Buffer row = y.reshape({1, n}).value();
  ASSERT_TRUE(stream.beginCapture());
  ASSERT_TRUE(byHand.launch(stream, x, y, 3.f));
  Status launched = tenfold.launch(stream, row, 10.f);
  Graph graph = stream.endCapture().value();
  ASSERT_TRUE(launched) << launched.error().message;
  EXPECT_EQ(read(y)[0], 1.f); // nothing has run yet
  ASSERT_TRUE(graph.launch(stream));
  ASSERT_TRUE(graph.launch(stream));
  ASSERT_TRUE(stream.synchronize());
  EXPECT_EQ(read(y), std::vector<float>(n, 760.f)); // 10 (6 + 10 (6 + 1))
}

TEST_P(CudaSource, AFindingNamesTheLineOfTheText) {
  if (GetParam() == "cuda:0")
    GTEST_SKIP() << "findings are the virtual GPU's";
  driver::CudaSource wrong = saxpy();
  wrong.options = {"-DBEYOND=64"};
  LoadedKernel kernel = LoadedKernel::load(*device, driver::compileCuda(wrong, device->target()).value()).value();
  Status launched = kernel.launch(device->stream().value(), x, y, 3.f);
  ASSERT_FALSE(launched);
  EXPECT_NE(launched.error().message.find("kernels/saxpy.cu:5"), std::string::npos) << launched.error().message;
}

TEST_P(CudaSource, MistakesComeWithNvrtcsLog) {
  driver::CudaSource wrong = saxpy();
  wrong.options = {};
  Result<Artifact> refused = driver::compileCuda(wrong, device->target());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().blame, Blame::invalidArgument);
  EXPECT_NE(refused.error().message.find("kernels/saxpy.cu(5): error: identifier \"BEYOND\" is undefined"),
            std::string::npos)
      << refused.error().message;
  wrong = saxpy();
  wrong.signature.name = "daxpy";
  refused = driver::compileCuda(wrong, device->target());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "kernel 'daxpy': kernels/saxpy.cu has no extern \"C\" __global__ function of that name");
}

INSTANTIATE_TEST_SUITE_P(Chips, CudaSource, testing::Values("virtual:t4", "virtual:a100", "virtual:h100", "cuda:0"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::ranges::replace(name, ':', '_');
                           return name;
                         });

TEST(CudaSourceOnly, ACpuIsNoTargetOfIt) {
  EXPECT_EQ(driver::compileCuda(saxpy(), **findTarget("cpu-avx2")).error().message,
            "kernel 'saxpy' is CUDA C++: target cpu-avx2 is no NVIDIA chip");
}

} // namespace
} // namespace tessera::test
