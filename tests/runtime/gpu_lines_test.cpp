// A GPU's code names the lines of the kernel's C++ source: in its text, in the virtual GPU's findings and its hot list.
#include "compiler/compile.h"
#include "dsl/dsl.h"
#include "dsl/trace.h"
#include "runtime/device.h"
#include "runtime/module.h"
#include <gtest/gtest.h>
#include <numeric>

namespace tessera::dsl {
namespace {

struct Lines {
  int gather = 0, store = 0;
};

// y[i] = exp2(table[rows[i]]): reads where `rows` says, so a wrong row is read outside of the table.
Result<Program> pick(Lines &lines) {
  return traceKernel("pick", "", [&](Kernel &k) {
    auto [N, V] = k.dims("N", "V");
    Tensor table = k.in("table", f32, {V});
    Tensor rows = k.in("rows", i32, {N});
    Tensor y = k.out("y", f32, {N});
    Range n = k.parallel(blocks(N, 128));
    Tile row = load(rows(n));
    lines.gather = __LINE__ + 1;
    Tile value = load(table(row));
    lines.store = __LINE__ + 1;
    store(y(n), exp2(value));
  });
}

std::string place(int line) { return "tests/runtime/gpu_lines_test.cpp:" + std::to_string(line); }

class GpuLines : public testing::TestWithParam<const char *> {
protected:
  // Picks row i of a table of 256 for all i but the last, which is `last`; the driver's message where that fails.
  std::string run(int last) {
    Device device = Device::open("virtual:" + std::string(GetParam())).value();
    Artifact artifact = compile(pick(lines).value(), device.target()).value();
    handle = {std::shared_ptr<void>(), &device.impl()};
    LoadedKernel kernel = LoadedKernel::load(handle, artifact).value();
    std::vector<int32_t> rows(256);
    std::iota(rows.begin(), rows.end(), 0);
    rows.back() = last;
    Buffer table = device.upload(f32, {256}, std::span<const float>(std::vector<float>(256))).value();
    Buffer picked = device.upload(i32, {256}, std::span<const int32_t>(rows)).value();
    Buffer y = device.alloc(f32, {256}).value();
    Stream stream = device.stream().value();
    Status status = kernel.launch(stream, table, picked, y);
    if (status)
      status = stream.synchronize();
    report = device.impl().launchReport();
    return status ? "" : status.error().message;
  }
  Lines lines;
  std::shared_ptr<driver::Driver> handle;
  std::string report;
};

TEST_P(GpuLines, AFindingNamesTheUsersLine) {
  std::string message = run(1 << 24);
  EXPECT_TRUE(message.ends_with("\n  at " + place(lines.gather))) << message << "\nwanted " << place(lines.gather);
}

TEST_P(GpuLines, TheHotListIsBySourceLine) {
  ASSERT_EQ(run(0), "");
  for (int line : {lines.gather, lines.store})
    EXPECT_NE(report.find("\"source\":\"" + place(line) + "\""), std::string::npos) << report;
}

INSTANTIATE_TEST_SUITE_P(Chips, GpuLines, testing::Values("t4", "a100", "h100"),
                         [](const auto &info) { return std::string(info.param); });

// A line that moves makes other code, so the cache must not serve the old one; a CPU's code names no lines.
TEST(GpuLinesKey, AMovedLineIsAnotherKernelOnAGpuOnly) {
  Lines lines;
  Program program = pick(lines).value(), moved = program;
  std::string from = ":" + std::to_string(lines.store) + ":", to = ":" + std::to_string(lines.store + 1) + ":";
  size_t at = moved.text.find(from);
  ASSERT_NE(at, std::string::npos);
  moved.text.replace(at, from.size(), to);
  const Target &gpu = **findTarget("a100"), &cpu = **findTarget("cpu-avx2");
  EXPECT_NE(cacheKey(program, gpu), cacheKey(moved, gpu));
  EXPECT_NE(compile(program, gpu)->bytes, compile(moved, gpu)->bytes);
  EXPECT_EQ(cacheKey(program, cpu), cacheKey(moved, cpu));
}

} // namespace
} // namespace tessera::dsl
