#include "runtime/device.h"
#include "runtime/driver/thread_pool.h"
#include "runtime/module.h"
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <numeric>

namespace tessera {

static std::string objectBytes() {
  std::ifstream in(SAMPLE_KERNELS, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Launch : public testing::Test {
protected:
  Device device = Device::open("cpu", {.threads = 2}).value();
  Stream stream = device.stream().value();

  Artifact gemmArtifact() {
    Artifact artifact;
    artifact.signature = {.name = "gemm",
                          .dims = {"M", "K", "N"},
                          .divisors = {1, 4, 1},
                          .args = {{"A", ArgKind::in, f32, {{0}, {1}}},
                                   {"B", ArgKind::in, f32, {{1}, {2}}},
                                   {"C", ArgKind::out, f32, {{0}, {2}}},
                                   {"bias", ArgKind::scalar, f32, {}}},
                          .grid = {{{0}, 1}}};
    artifact.target = device.target().name;
    artifact.entry = "sampleGemm";
    artifact.bytes = objectBytes();
    return artifact;
  }
  LoadedKernel gemm() { return load(gemmArtifact()).value(); }
  Result<LoadedKernel> load(const Artifact &artifact) {
    // The device hands its driver out as a reference; tests keep the device alive.
    return LoadedKernel::load(std::shared_ptr<driver::Driver>(std::shared_ptr<void>(), &device.impl()), artifact);
  }
  Buffer tensor(Shape shape, DType dtype = f32) {
    Buffer buffer = device.alloc(dtype, std::move(shape)).value();
    auto values = buffer.host<float>();
    std::iota(values.begin(), values.end(), 1.f);
    return buffer;
  }
  template <class... A> std::string refusal(const A &...args) {
    Status status = gemm().launch(stream, args...);
    if (status)
      return "launched";
    EXPECT_EQ(status.error().blame, Blame::invalidArgument);
    return status.error().message;
  }
};

TEST_F(Launch, ComputesEveryProgramOfTheGrid) {
  Buffer a = tensor({5, 4}), b = tensor({4, 3}), c = tensor({5, 3});
  ASSERT_TRUE(gemm().launch(stream, a, b, c, 0.5f));
  ASSERT_TRUE(stream.synchronize());
  for (int64_t m = 0; m < 5; ++m)
    for (int64_t n = 0; n < 3; ++n) {
      float want = 0.5f;
      for (int64_t k = 0; k < 4; ++k)
        want += float(m * 4 + k + 1) * float(k * 3 + n + 1);
      EXPECT_EQ(c.host<float>()[size_t(m * 3 + n)], want);
    }
}

// A kernel indexes a [M, K/2] tensor by its block of K: a buffer of another width would be read past its end.
TEST_F(Launch, RefusesSizesThatDoNotFitTheirWhole) {
  Artifact artifact = gemmArtifact();
  artifact.signature.dims[2] = "K/2";
  artifact.signature.scaled = {{2, 1, 1, 2}};
  LoadedKernel halves = load(artifact).value();
  EXPECT_TRUE(halves.launch(stream, tensor({5, 4}), tensor({4, 2}), tensor({5, 2}), 0.f));
  Status wide = halves.launch(stream, tensor({5, 4}), tensor({4, 3}), tensor({5, 3}), 0.f);
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().message, "gemm: B has K/2 = 3 along axis 1, which does not fit K = 4");
}

TEST_F(Launch, PreparedLaunchRepeatsAndKeepsItsBuffers) {
  Buffer a = tensor({2, 4}), c = tensor({2, 2});
  PreparedLaunch prepared = [&] {
    Buffer b = tensor({4, 2}); // only the launch holds it now
    return gemm().prepare({a, b, c, 0}).value();
  }();
  EXPECT_EQ(prepared.programs(), 2);
  for (float scale : {1.f, 2.f}) {
    for (float &x : a.host<float>())
      x = scale;
    ASSERT_TRUE(prepared.launch(stream));
    EXPECT_EQ(c.host<float>()[0], scale * (1 + 3 + 5 + 7));
  }
}

TEST_F(Launch, ARecordedGraphReplaysLaunchesAndCopies) {
  Buffer a = tensor({2, 4}), b = tensor({4, 2}), c = tensor({2, 2});
  std::vector<float> given(8, 1.f), got(4, -1.f);
  LoadedKernel kernel = gemm();
  ASSERT_TRUE(stream.beginCapture());
  EXPECT_FALSE(stream.beginCapture());
  ASSERT_TRUE(a.copyFrom(stream, given.data(), a.bytes()));
  ASSERT_TRUE(kernel.launch(stream, a, b, c, 0.f));
  ASSERT_TRUE(c.copyTo(stream, got.data(), c.bytes()));
  EXPECT_EQ(stream.synchronize().error().message, "a stream cannot be synchronized while it records a graph");
  Graph graph = stream.endCapture().value();
  EXPECT_FALSE(stream.endCapture());
  EXPECT_EQ(got[0], -1) << "what is recorded does not run";
  for (float scale : {1.f, 3.f}) {
    std::fill(given.begin(), given.end(), scale);
    ASSERT_TRUE(graph.launch(stream));
    ASSERT_TRUE(stream.synchronize());
    EXPECT_EQ(got[0], scale * (1 + 3 + 5 + 7));
  }
  Device other = Device::open("cpu").value();
  EXPECT_EQ(graph.launch(other.stream().value()).error().message,
            "a recorded graph belongs to another device than the stream");
}

TEST_F(Launch, EmptyGridLaunchesNothing) {
  EXPECT_TRUE(gemm().launch(stream, tensor({0, 4}), tensor({4, 3}), tensor({0, 3}), 0.f));
}

TEST_F(Launch, MismatchesNameKernelArgumentAxisAndBothSizes) {
  Buffer a = tensor({5, 128}), b = tensor({64, 3}), c = tensor({5, 3});
  EXPECT_EQ(refusal(a, b, c, 0.f), "gemm: B has K = 64 along axis 0, but A has K = 128 along axis 1");
  Buffer a2 = tensor({5, 64});
  EXPECT_EQ(refusal(a2, b, tensor({4, 3}), 0.f), "gemm: C has M = 4 along axis 0, but A has M = 5 along axis 0");
  EXPECT_EQ(refusal(a2, b, c), "gemm: takes 4 arguments, not 3");
  EXPECT_EQ(refusal(a2, tensor({64}), c, 0.f), "gemm: f32 B [K, N] has 2 axes, but the buffer's shape is [64]");
  EXPECT_EQ(refusal(a2, device.alloc(f16, {64, 3}).value(), c, 0.f), "gemm: B must be f32 but is f16");
  EXPECT_EQ(refusal(a2, b, c, b), "gemm: scalar bias takes one f32, not a buffer");
  EXPECT_EQ(refusal(a2, 1.f, c, 0.f), "gemm: argument B must be a buffer, f32 B [K, N]");
  EXPECT_EQ(refusal(a2, Buffer(), c, 0.f), "gemm: argument B must be a buffer, f32 B [K, N]");
  EXPECT_EQ(refusal(tensor({5, 6}), tensor({6, 3}), c, 0.f),
            "gemm: A has K = 6 along axis 1, which must be a multiple of 4");
  EXPECT_EQ(refusal(a2, b, c.asReadOnly(), 0.f), "gemm: C is written by the kernel, but the buffer is read-only");
  EXPECT_EQ(refusal(c.view(0, f32, {1, 4}).value(), tensor({4, 3}), c.slice(0, 1).value(), 0.f),
            "gemm: C and A overlap in memory, and the kernel writes C");
  Device other = Device::open("cpu", {.threads = 1}).value();
  EXPECT_EQ(refusal(a2, other.alloc(f32, {64, 3}).value(), c, 0.f),
            "gemm: the buffer for B lies on another device than the kernel");
}

TEST_F(Launch, ConstantExtentsAreChecked) {
  Artifact artifact = gemmArtifact();
  artifact.signature.args[1].extents[1] = {-1, 8};
  artifact.signature.args[2].extents[1] = {-1, 8};
  artifact.signature.dims.pop_back();
  artifact.signature.divisors.pop_back();
  Status status = load(artifact).value().launch(stream, tensor({5, 4}), tensor({4, 3}), tensor({5, 8}), 0.f);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "gemm: B has 3 along axis 1, but the kernel was made for 8");
}

TEST_F(Launch, LibraryCallsOfTheObjectResolve) {
  Artifact artifact = gemmArtifact();
  artifact.signature = {"clear", {"N"}, {1}, {{"x", ArgKind::out, f32, {{0}}}}, {{{0}, 1}}};
  artifact.entry = "sampleClear";
  Buffer x = tensor({1000});
  ASSERT_TRUE(load(artifact).value().launch(stream, x));
  for (float value : x.host<float>())
    EXPECT_EQ(value, 0);
}

TEST_F(Launch, BrokenObjectsAreRefused) {
  Artifact artifact = gemmArtifact();
  artifact.entry = "noSuchEntry";
  EXPECT_FALSE(load(artifact));
  artifact = gemmArtifact();
  artifact.bytes.resize(100);
  EXPECT_FALSE(load(artifact));
  artifact = gemmArtifact();
  artifact.target = "cpu-z80";
  auto loaded = load(artifact);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message.substr(0, 43), "kernel 'gemm' was compiled for cpu-z80, but");
}

TEST(Device, NamesWhatItCannotOpen) {
  EXPECT_EQ(Device::open("cpu-z80").error().message.substr(0, 24), "unknown target 'cpu-z80'");
  EXPECT_FALSE(Device::open("cpu", {.threads = -1}));
  EXPECT_EQ(Device::open("cpu", {.threads = 3}).value().threads(), 3);
}

TEST(Buffer, SharesMemoryWithItsViews) {
  Device device = Device::open("cpu", {.threads = 1}).value();
  Buffer whole = device.alloc(i32, {6, 4}).value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(whole.data()) % 64, 0u);
  std::iota(whole.host<int32_t>().begin(), whole.host<int32_t>().end(), 0);
  Buffer rows = whole.slice(2, 3).value();
  whole = Buffer(); // the slice keeps the memory
  EXPECT_EQ(rows.shape(), (Shape{3, 4}));
  EXPECT_EQ(rows.host<int32_t>().front(), 8);
  EXPECT_EQ(rows.reshape({12}).value().host<int32_t>().back(), 19);
  EXPECT_TRUE(rows.host<double>().empty());
  EXPECT_EQ(rows.slice(2, 2).error().message, "rows 2 to 4 are not all inside a tensor of shape [3, 4]");
  EXPECT_FALSE(rows.reshape({13}));
  EXPECT_FALSE(rows.view(4, f32, {12}));
}

TEST(Buffer, PackedMatricesCountPanels) {
  Device device = Device::open("cpu", {.threads = 1}).value();
  Buffer weights = device.alloc(q4_1, {40, 64}).value();
  EXPECT_EQ(weights.bytes(), 48 * 2 * 20);
  EXPECT_EQ(weights.slice(16, 16).value().bytes(), 16 * 2 * 20);
  EXPECT_EQ(weights.slice(16, 24).value().bytes(), 32 * 2 * 20);
  EXPECT_FALSE(weights.slice(8, 16));
  EXPECT_FALSE(weights.slice(0, 24));
  EXPECT_FALSE(device.alloc(q4_1, {40, 48}));
}

TEST(Buffer, RefusesImpossibleShapes) {
  Device device = Device::open("cpu", {.threads = 1}).value();
  EXPECT_FALSE(device.alloc(f32, {-1}));
  EXPECT_FALSE(device.alloc(f32, {int64_t(1) << 40, int64_t(1) << 40}));
  EXPECT_FALSE(device.alloc(f32, {int64_t(1) << 55}));
  std::vector<float> host(6);
  EXPECT_FALSE(device.view(f32, {7}, std::as_writable_bytes(std::span(host))));
  Buffer seen = device.view(f32, {6}, std::as_bytes(std::span<const float>(host))).value();
  EXPECT_TRUE(seen.readOnly());
  EXPECT_FALSE(seen.copyFrom(host.data(), 24));
}

} // namespace tessera
