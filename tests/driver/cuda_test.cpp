// Kernels through Device, Stream, Buffer and LoadedKernel on virtual chips, and on cuda:0 where there is a real one.
#include "runtime/device.h"
#include "runtime/mirror.h"
#include "runtime/module.h"
#include "tests/driver/kernels.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

namespace tessera::test {
namespace {

class Cuda : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    Result<Device> opened = Device::open(GetParam());
    if (!opened && !isVirtual())
      GTEST_SKIP() << "no real GPU here: " << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    device.emplace(*opened);
    stream.emplace(device->stream().value());
  }
  static bool isVirtual() { return GetParam().starts_with("virtual:"); }

  LoadedKernel load(const Artifact &artifact) { return LoadedKernel::load(shared(), artifact).value(); }
  // A driver of its own, as the engine holds one: Device shares its handle with the buffers.
  std::shared_ptr<driver::Driver> shared() { return {std::shared_ptr<void>(), &device->impl()}; }
  Buffer floats(const std::vector<float> &values) {
    return device->upload(f32, {int64_t(values.size())}, std::span<const float>(values)).value();
  }
  template <class T = float> std::vector<T> read(const Buffer &buffer) {
    std::vector<T> values(size_t(buffer.bytes()) / sizeof(T));
    EXPECT_TRUE(buffer.copyTo(values.data(), buffer.bytes()));
    return values;
  }
  // Of a launch that may fail at once (the virtual GPU) or when it is waited for (a real one).
  template <class... A> std::string failure(const LoadedKernel &kernel, const A &...args) {
    Status status = kernel.launch(*stream, args...);
    if (status)
      status = stream->synchronize();
    return status ? "" : status.error().message;
  }

  std::optional<Device> device;
  std::optional<Stream> stream;
};

bool contains(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_P(Cuda, IsAnNvidiaTargetWhoseMemoryIsItsOwn) {
  EXPECT_EQ(device->target().vendor, Vendor::nvidia);
  EXPECT_TRUE(device->target().arch.starts_with("sm_")) << device->target().arch;
  Buffer buffer = device->alloc(f32, {4}).value();
  EXPECT_TRUE(buffer.host<float>().empty());
  std::vector<std::byte> host(16);
  EXPECT_FALSE(device->view(f32, {4}, std::span(host)));
}

TEST_P(Cuda, SaxpyOfARaggedLength) {
  std::vector<float> x(1000), y(1000);
  std::iota(x.begin(), x.end(), 0.f);
  std::iota(y.begin(), y.end(), 7.f);
  Buffer dx = floats(x), dy = floats(y);
  ASSERT_EQ(failure(load(saxpy()), dx, dy, 2.f), "");
  std::vector<float> got = read(dy);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(got[i], 2 * x[i] + y[i]) << i;
}

TEST_P(Cuda, ReductionInDynamicSharedMemory) {
  std::vector<float> x(1000, 1.f);
  Buffer dx = floats(x), sums = floats(std::vector<float>(4, -1.f));
  ASSERT_EQ(failure(load(blockSums()), dx, sums), "");
  EXPECT_EQ(read(sums), (std::vector<float>{256, 256, 256, 232}));
}

TEST_P(Cuda, TheLastGridAxisIsX) {
  Buffer out = device->alloc(i32, {2, 3, 5}).value();
  ASSERT_EQ(failure(load(gridPositions()), out), "");
  std::vector<int> got = read<int>(out);
  for (int z = 0; z < 2; ++z)
    for (int y = 0; y < 3; ++y)
      for (int x = 0; x < 5; ++x)
        EXPECT_EQ(got[size_t((z * 3 + y) * 5 + x)], x + 100 * y + 10000 * z);
}

TEST_P(Cuda, CopiesAndLaunchesOfAStreamKeepTheirOrder) {
  std::vector<float> x(256, 1.f), y(256, 0.f), got(256);
  Buffer dx = floats(x), dy = device->alloc(f32, {256}).value();
  LoadedKernel kernel = load(saxpy());
  ASSERT_TRUE(dy.copyFrom(*stream, y.data(), dy.bytes()));
  PreparedLaunch step = kernel.prepare({dx, dy, 3.f}).value();
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(step.launch(*stream));
  ASSERT_TRUE(dy.copyTo(*stream, got.data(), dy.bytes()));
  ASSERT_TRUE(stream->synchronize());
  EXPECT_EQ(got, std::vector<float>(256, 15.f));
}

TEST_P(Cuda, AMirrorIsCopiedWhenItIsAskedTo) {
  Mirror mirror = Mirror::make(*device, f32, {3}).value();
  EXPECT_TRUE(mirror.host<double>().empty());
  std::ranges::fill(mirror.host<float>(), 4.f);
  ASSERT_TRUE(mirror.toDevice(*stream));
  EXPECT_TRUE(stream->synchronize());
  EXPECT_EQ(read(mirror.buffer()), std::vector<float>(3, 4.f));
  std::ranges::fill(mirror.host<float>(), 5.f);
  ASSERT_TRUE(mirror.toHost(*stream));
  EXPECT_TRUE(stream->synchronize());
  EXPECT_EQ(mirror.host<float>()[2], 4.f);
}

TEST_P(Cuda, ARecordedGraphReplaysLaunchesAndCopies) {
  std::vector<float> x(256, 1.f), y(256, 0.f), got(256, -1.f);
  Buffer dx = floats(x), dy = floats(y);
  PreparedLaunch step = load(saxpy()).prepare({dx, dy, 3.f}).value();
  ASSERT_TRUE(stream->beginCapture());
  ASSERT_TRUE(dx.copyFrom(*stream, x.data(), dx.bytes()));
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(step.launch(*stream));
  ASSERT_TRUE(dy.copyTo(*stream, got.data(), dy.bytes()));
  Graph graph = stream->endCapture().value();
  EXPECT_EQ(read(dy), y) << "what is recorded does not run";
  for (float times : {1.f, 2.f}) {
    ASSERT_TRUE(graph.launch(*stream));
    ASSERT_TRUE(stream->synchronize());
    EXPECT_EQ(got, std::vector<float>(256, 15.f * times));
  }
  ASSERT_TRUE(stream->beginCapture());
  EXPECT_TRUE(stream->endCapture().value().launch(*stream)) << "an empty graph";
}

TEST_P(Cuda, AQueueThatRecordsCannotBeWaitedFor) {
  ASSERT_TRUE(stream->beginCapture());
  Status waited = stream->synchronize();
  ASSERT_FALSE(waited);
  EXPECT_TRUE(contains(waited.error().message, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")) << waited.error().message;
  Result<Graph> recorded = stream->endCapture(); // whether that call spoiled the recording is the driver's affair
  EXPECT_FALSE(stream->endCapture());
  EXPECT_EQ(device->impl().beginCapture(nullptr).error().message,
            "the default queue cannot record a graph: open a queue of its own");
  EXPECT_EQ(failure(load(saxpy()), floats({1}), floats({1}), 1.f), "") << "the stream must stay usable";
}

TEST_P(Cuda, EventsMeasureLaunches) {
  Buffer dx = floats(std::vector<float>(1 << 14)), dy = floats(std::vector<float>(1 << 14));
  LoadedKernel kernel = load(saxpy());
  driver::Driver &driver = device->impl();
  driver::Event from = driver.record(stream->handle()).value();
  ASSERT_EQ(failure(kernel, dx, dy, 1.f), "");
  driver::Event to = driver.record(stream->handle()).value();
  double ms = driver.elapsedMs(from, to).value();
  EXPECT_GT(ms, 0);
  EXPECT_LT(ms, 10e3);
  driver.destroy(from);
  driver.destroy(to);
}

TEST_P(Cuda, BadPtxGivesOurSentenceAndTheDriversLog) {
  Artifact bad = saxpy();
  bad.bytes.replace(bad.bytes.find("fma.rn.f32"), 10, "fmo.rn.f32");
  Result<LoadedKernel> loaded = LoadedKernel::load(shared(), bad);
  ASSERT_FALSE(loaded);
  std::string message = loaded.error().message;
  EXPECT_EQ(loaded.error().blame, Blame::device);
  EXPECT_TRUE(message.starts_with(GetParam() + ": kernel 'saxpy' cannot be loaded: cuModuleLoadDataEx answers "
                                               "CUDA_ERROR_INVALID_PTX"))
      << message;
  EXPECT_TRUE(contains(message.substr(message.find('\n') + 1), "fmo")) << message;
  EXPECT_EQ(failure(load(saxpy()), floats({1}), floats({1}), 1.f), "") << "the device must stay usable";
}

TEST_P(Cuda, RefusesWhatDoesNotFitTheCode) {
  auto refused = [&](const Artifact &artifact) {
    Result<LoadedKernel> loaded = LoadedKernel::load(shared(), artifact);
    return loaded ? "" : loaded.error().message;
  };
  Artifact artifact = saxpy();
  artifact.entry = "saxpi";
  EXPECT_TRUE(contains(refused(artifact), "the code of kernel 'saxpy' has no entry saxpi"));
  artifact = saxpy();
  artifact.target = "cpu-avx2";
  EXPECT_EQ(refused(artifact), "kernel 'saxpy' was compiled for cpu-avx2, but the device is " + GetParam());
  artifact = saxpy();
  artifact.bytes += std::string(1, '\0');
  EXPECT_EQ(refused(artifact), "kernel 'saxpy' is not PTX text: it holds a zero byte");
  artifact = saxpy();
  artifact.block.threads = {1024, 2, 1};
  EXPECT_TRUE(contains(refused(artifact), "kernel 'saxpy' cannot run in blocks of 1024 x 2 x 1 threads on"));
  artifact = blockSums();
  artifact.block.dynamicSharedBytes = 1 << 20;
  EXPECT_TRUE(contains(refused(artifact), "wants 1048576 bytes of dynamic shared memory"));
  if (!isVirtual())
    return; // a real driver tells the parameters since 12.4 only
  artifact = saxpy();
  artifact.signature.args.pop_back();
  EXPECT_EQ(refused(artifact), "kernel 'saxpy': its code takes 4 parameters, but 3 are passed");
  artifact = saxpy();
  artifact.signature.args[2].dtype = i64;
  EXPECT_EQ(refused(artifact), "kernel 'saxpy': parameter 3 of its code has 4 bytes, but 8 are passed");
}

TEST_P(Cuda, MoreMemoryThanThereIsIsRefused) {
  Result<Buffer> huge = device->alloc(f32, {int64_t(1) << 40});
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().blame, Blame::device);
  EXPECT_TRUE(
      huge.error().message.starts_with(GetParam() + " has no 4398046511104 bytes of memory left for a buffer: "))
      << huge.error().message;
  EXPECT_TRUE(device->alloc(f32, {1024}));
}

TEST_P(Cuda, AFindingFailsTheLaunchAndSticksToTheDevice) {
  if (!isVirtual())
    GTEST_SKIP() << "a real GPU does not notice one element too far";
  Buffer out = floats(std::vector<float>(1024));
  std::string message = failure(load(storeOutside()), out);
  EXPECT_TRUE(message.starts_with(GetParam() + ": kernel 'store_outside' failed: cuLaunchKernel answers "
                                               "CUDA_ERROR_ILLEGAL_ADDRESS"))
      << message;
  EXPECT_TRUE(contains(message, "\nout of bounds: ")) << message;
  EXPECT_TRUE(contains(message, "st.global.f32")) << message;
  EXPECT_TRUE(contains(device->impl().launchReport(), R"("kind":"out of bounds")"));
  Status later = stream->synchronize();
  ASSERT_FALSE(later);
  EXPECT_TRUE(later.error().message.starts_with(GetParam() + " cannot be used any more")) << later.error().message;
  EXPECT_TRUE(contains(later.error().message, "store_outside"));
  // Opened anew it is another device.
  Device again = Device::open(GetParam()).value();
  EXPECT_TRUE(again.alloc(f32, {16}));
}

INSTANTIATE_TEST_SUITE_P(On, Cuda, testing::Values("virtual:t4", "virtual:a100", "virtual:h100", "cuda:0"),
                         [](const auto &given) {
                           std::string name = given.param;
                           std::replace(name.begin(), name.end(), ':', '_');
                           return name;
                         });

TEST(Names, WhatIsNoDeviceGetsOneSentence) {
  auto refused = [](std::string_view name) {
    Result<Device> opened = Device::open(name);
    return opened ? "" : opened.error().message;
  };
  EXPECT_EQ(refused("cuda:x"), "'cuda:x' is not a device: want cuda:0, cuda:1, ...");
  EXPECT_EQ(refused("cuda:-1"), "'cuda:-1' is not a device: want cuda:0, cuda:1, ...");
  EXPECT_TRUE(refused("virtual:z80").starts_with("unknown virtual chip 'z80': known are t4, v100, a10g, a100,"))
      << refused("virtual:z80");
  EXPECT_TRUE(refused("cuda:4711").starts_with("cuda:4711: ")) << refused("cuda:4711");
}

TEST(Names, ManyDevicesOfManyChipsInOneProcess) {
  Device a = Device::open("virtual:a100").value(), b = Device::open("virtual:a100").value();
  Device c = Device::open("virtual:l4").value();
  EXPECT_EQ(a.target().arch, "sm_80");
  EXPECT_EQ(c.target().arch, "sm_89");
  const float one = 1;
  float got = 0;
  Buffer onA = a.upload(f32, {1}, std::span(&one, 1)).value();
  Buffer onB = b.alloc(f32, {1}).value(), onC = c.upload(f32, {1}, std::span(&one, 1)).value();
  EXPECT_NE(onA.data(), onB.data());
  ASSERT_TRUE(onC.copyTo(&got, 4));
  EXPECT_EQ(got, 1);
}

} // namespace
} // namespace tessera::test
