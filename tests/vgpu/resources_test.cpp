// Registers as a program meets them: attributes, occupancy, launches that the register file does not hold; and modelled
// time on every chip.
#include "tests/vgpu/cuda_api.h"
#include <sstream>

extern "C" {
const char *tesseraVgpuChips();
int tesseraVgpuOpenChip(const char *, int *);
size_t tesseraVgpuLastReport(int, char *, size_t);
int cuOccupancyMaxPotentialBlockSize(int *, int *, void *, size_t (*)(int), size_t, int);
}

namespace {

// 100 values live at once, so 104 registers: 3328 for a warp, 19 warps, granted in fours: 16.
std::string heavy(const std::string &directives = "", const std::string &target = "sm_75") {
  std::string text = ".version 6.4\n.target " + target + "\n.address_size 64\n.visible .entry heavy(.param .u64 p) " +
                     directives + "\n{\n.reg .b32 %r<120>;\n.reg .b64 %rd<2>;\nld.param.u64 %rd1, [p];\n";
  for (int i = 0; i < 100; ++i)
    text += "ld.global.u32 %r" + std::to_string(i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
  for (int i = 0; i < 100; ++i)
    text += "st.global.u32 [%rd1+" + std::to_string(4 * i) + "], %r" + std::to_string(i) + ";\n";
  return text + "ret;\n}\n";
}

class Resources : public VirtualGpu {
protected:
  int attribute(void *f, int which) {
    int value = -1;
    EXPECT_EQ(cuFuncGetAttribute(&value, which, f), 0);
    return value;
  }
};
constexpr int maxThreads = 0, localBytes = 3, registers = 4;

TEST_F(Resources, AttributesAndOccupancyFollowTheRegisters) {
  void *f = function(loadText(heavy()), "heavy");
  EXPECT_EQ(attribute(f, registers), 104);
  EXPECT_EQ(attribute(f, maxThreads), 512);
  EXPECT_EQ(attribute(f, localBytes), 0);
  int blocks = 0;
  ASSERT_EQ(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 128, 0), 0);
  EXPECT_EQ(blocks, 4);
  ASSERT_EQ(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 544, 0), 0);
  EXPECT_EQ(blocks, 0);
  int grid = 0, block = 0;
  ASSERT_EQ(cuOccupancyMaxPotentialBlockSize(&grid, &block, f, nullptr, 0, 0), 0);
  EXPECT_EQ(block, 512);
}

TEST_F(Resources, ALaunchBeyondTheRegisterFileIsRefused) {
  void *f = function(loadText(heavy()), "heavy");
  CUdeviceptr p = zeros<int>(100);
  EXPECT_EQ(launch(f, {}, {1024}, 0, p), 701);
  EXPECT_EQ(launch(f, {}, {512}, 0, p), 0) << "a refusal leaves the context alone";
  void *bound = function(loadText(heavy(".maxntid 1024, 1, 1")), "heavy");
  EXPECT_EQ(attribute(bound, registers), 64);
  EXPECT_EQ(attribute(bound, localBytes), 160) << "40 values are spilled";
  EXPECT_EQ(launch(bound, {}, {1024}, 0, p), 0);
}

// Every chip runs the kernel and answers a modelled time of its own.
TEST(Chips, EventsAnswerModelledTimeOnAllOfThem) {
  ASSERT_EQ(cuInit(0), 0);
  std::istringstream chips(tesseraVgpuChips());
  std::vector<std::string> ids;
  for (std::string line; std::getline(chips, line);)
    ids.push_back(line.substr(0, line.find('\t')));
  EXPECT_EQ(ids, (std::vector<std::string>{"t4", "v100", "a10g", "a100", "a100-80", "l4", "l40s", "h100", "h100-pcie",
                                           "h200"}));
  const std::string text = heavy("", "sm_70");
  for (const std::string &id : ids) {
    int device = -1;
    ASSERT_EQ(tesseraVgpuOpenChip(id.c_str(), &device), 0) << id;
    void *context = nullptr, *module = nullptr, *f = nullptr, *from = nullptr, *to = nullptr;
    ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, device), 0) << id;
    ASSERT_EQ(cuCtxSetCurrent(context), 0);
    ASSERT_EQ(cuModuleLoadData(&module, text.c_str()), 0) << id;
    ASSERT_EQ(cuModuleGetFunction(&f, module, "heavy"), 0);
    CUdeviceptr p = 0;
    ASSERT_EQ(cuMemAlloc_v2(&p, 400), 0);
    ASSERT_EQ(cuEventCreate(&from, 0), 0);
    ASSERT_EQ(cuEventCreate(&to, 0), 0);
    ASSERT_EQ(cuEventRecord(from, nullptr), 0);
    void *parameters[] = {&p};
    ASSERT_EQ(cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, nullptr, parameters, nullptr), 0) << id;
    ASSERT_EQ(cuEventRecord(to, nullptr), 0);
    float ms = 0;
    ASSERT_EQ(cuEventElapsedTime(&ms, from, to), 0);
    EXPECT_GT(ms, 1e-3f) << id << ": a launch alone is some microseconds";
    EXPECT_LT(ms, 1.f) << id;
    std::string report(tesseraVgpuLastReport(device, nullptr, 0) + 1, '\0');
    tesseraVgpuLastReport(device, report.data(), report.size());
    EXPECT_NE(report.find("\"registers\":104,\"registers_from\":\"liveness\""), std::string::npos) << report;
    cuDevicePrimaryCtxReset_v2(device);
    cuDevicePrimaryCtxRelease_v2(device);
  }
  cuCtxSetCurrent(nullptr);
}

} // namespace
