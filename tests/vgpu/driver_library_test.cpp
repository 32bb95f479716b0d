// Images, libraries, kernels, the linker, launch attributes, streams in order, and failures that stay.
#include "runtime/vgpu/driver/abi.h"
#include "tests/vgpu/cuda_api.h"
#include <cstring>
#include <filesystem>

using tessera::vgpu::driver::LaunchAttribute;
using tessera::vgpu::driver::LaunchConfig;
using tessera::vgpu::driver::MemOp;

extern "C" {
int cuCtxCreate_v2(void **, unsigned, int);
int cuCtxDestroy_v2(void *);
int cuCtxGetCurrent(void **);
int cuCtxPushCurrent_v2(void *);
int cuCtxPopCurrent_v2(void **);
int cuModuleLoad(void **, const char *);
int cuLibraryLoadData(void **, const void *, int *, void **, unsigned, int *, void **, unsigned);
int cuLibraryUnload(void *);
int cuLibraryGetKernel(void **, void *, const char *);
int cuLibraryGetKernelCount(unsigned *, void *);
int cuLibraryGetGlobal(CUdeviceptr *, size_t *, void *, const char *);
int cuKernelGetFunction(void **, void *);
int cuKernelSetAttribute(int, int, void *, int);
int cuKernelGetAttribute(int *, int, void *, int);
int cuKernelGetName(const char **, void *);
int cuLinkCreate_v2(unsigned, int *, void **, void **);
int cuLinkAddData_v2(void *, int, const void *, size_t, const char *, unsigned, int *, void **);
int cuLinkComplete(void *, void **, size_t *);
int cuLinkDestroy(void *);
int cuLaunchKernelEx(const LaunchConfig *, void *, void **, void **);
int cuOccupancyMaxActiveClusters(int *, void *, const LaunchConfig *);
int cuOccupancyMaxPotentialBlockSize(int *, int *, void *, size_t (*)(int), size_t, int);
int cuFuncGetParamInfo(void *, size_t, size_t *, size_t *);
int cuStreamQuery(void *);
int cuStreamWriteValue32_v2(void *, CUdeviceptr, uint32_t, unsigned);
int cuStreamWaitValue32_v2(void *, CUdeviceptr, uint32_t, unsigned);
int cuStreamBatchMemOp_v2(void *, unsigned, const MemOp *, unsigned);
int cuStreamAddCallback(void *, void (*)(void *, int, void *), void *, unsigned);
int cuMemcpyDtoHAsync_v2(void *, CUdeviceptr, size_t, void *);
}

namespace {

const char *const fill = ".version 7.0\n.target sm_75\n.address_size 64\n.visible .global .align 4 .u32 base = 5;\n"
                         ".visible .entry fill(.param .u64 p)\n{\n.reg .b32 %r<4>;\n.reg .b64 %rd<4>;\n"
                         "ld.param.u64 %rd1, [p];\nld.global.u32 %r1, [base];\nmov.u32 %r2, %tid.x;\n"
                         "mul.wide.u32 %rd2, %r2, 4;\nadd.s64 %rd3, %rd1, %rd2;\nst.global.u32 [%rd3], %r1;\nret;\n}\n";

class Images : public VirtualGpu {
protected:
  // A fat binary with one entry whose header is as nvcc 13 writes it.
  static std::string fatBinary(uint16_t kind, uint64_t flags, std::string payload, uint32_t packed, uint64_t unpacked) {
    std::string bytes(16 + 64, '\0');
    auto put = [&](size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
    payload.resize((payload.size() + 7) / 8 * 8);
    put(0, uint32_t(0xba55ed50)), put(4, uint16_t(1)), put(6, uint16_t(16)), put(8, uint64_t(64 + payload.size()));
    put(16, kind), put(20, uint32_t(64)), put(24, uint64_t(payload.size())), put(32, packed), put(56, flags);
    put(72, unpacked);
    return bytes + payload;
  }
  // LZ4 of literals only.
  static std::string literals(const std::string &text) {
    std::string out(1, char(0xf0));
    size_t rest = text.size() - 15;
    for (; rest >= 255; rest -= 255)
      out += char(255);
    return out + char(rest) + text;
  }
  int loads(const std::string &image, std::string *why = nullptr) {
    void *module = nullptr;
    char log[300] = "";
    int options[] = {5, 6};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    int code = cuModuleLoadDataEx(&module, image.c_str(), 2, options, values);
    if (why)
      *why = log;
    EXPECT_EQ(reinterpret_cast<size_t>(values[1]), code ? std::strlen(log) + 1 : 0u) << "the log's size comes back";
    return code;
  }
};

TEST_F(Images, FatBinariesPlainAndPacked) {
  const std::string text = fill;
  std::string why;
  EXPECT_EQ(loads(fatBinary(1, 0, text, 0, 0)), 0);
  const std::string packed = literals(text);
  EXPECT_EQ(loads(fatBinary(1, 0x2000, packed, uint32_t(packed.size()), text.size())), 0);
  EXPECT_EQ(loads(fatBinary(1, 0x2000, packed, uint32_t(packed.size()), text.size() + 1), &why), 209);
  EXPECT_EQ(why, "the compressed PTX in the fat binary is damaged");
  EXPECT_EQ(loads(fatBinary(2, 0, text, 0, 0), &why), 209);
  EXPECT_NE(why.find("holds no PTX for sm_"), std::string::npos) << why;
  std::string newer = text;
  newer.replace(newer.find("sm_75"), 5, "sm_99");
  EXPECT_EQ(loads(fatBinary(1, 0, newer, 0, 0)), 209);
  std::string cut = fatBinary(1, 0, text, 0, 0);
  cut[24] = char(0xff), cut[26] = 1; // longer than the whole
  EXPECT_EQ(loads(cut, &why), 200);
  EXPECT_EQ(why, "an entry of the fat binary is longer than the whole");
  EXPECT_EQ(loads("\x7f"
                  "ELF and so on",
                  &why),
            209);
  EXPECT_EQ(loads("hello", &why), 200);
  EXPECT_EQ(loads("", &why), 200);
}

TEST_F(Images, FilesAreImagesToo) {
  const auto path = std::filesystem::temp_directory_path() / "tessera-vgpu-image.ptx";
  std::ofstream(path) << fill;
  void *module = nullptr;
  EXPECT_EQ(cuModuleLoad(&module, path.c_str()), 0);
  std::ofstream(path) << "";
  EXPECT_EQ(cuModuleLoad(&module, path.c_str()), 200);
  std::filesystem::remove(path);
  EXPECT_EQ(cuModuleLoad(&module, path.c_str()), 301);
}

TEST_F(Images, LibrariesLoadWhereTheirKernelsAreUsed) {
  void *library = nullptr, *kernel = nullptr, *here = nullptr, *there = nullptr, *own = nullptr;
  ASSERT_EQ(cuLibraryLoadData(&library, fill, nullptr, nullptr, 0, nullptr, nullptr, 0), 0);
  unsigned count = 0;
  ASSERT_EQ(cuLibraryGetKernelCount(&count, library), 0);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(cuLibraryGetKernel(&kernel, library, "nothing"), 500);
  ASSERT_EQ(cuLibraryGetKernel(&kernel, library, "fill"), 0);
  const char *name = nullptr;
  ASSERT_EQ(cuKernelGetName(&name, kernel), 0);
  EXPECT_STREQ(name, "fill");
  ASSERT_EQ(cuKernelSetAttribute(8, 60000, kernel, 0), 0);
  auto p = zeros<int>(32);
  ASSERT_EQ(launch(kernel, {1}, {32}, 60000, p), 0) << "a kernel's handle is taken for a function's";
  EXPECT_EQ(download<int>(p, 32), std::vector<int>(32, 5));
  ASSERT_EQ(cuKernelGetFunction(&here, kernel), 0);
  CUdeviceptr base = 0;
  size_t bytes = 0;
  ASSERT_EQ(cuLibraryGetGlobal(&base, &bytes, library, "base"), 0);
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(cuMemFree_v2(base), 1) << "the module's, not the program's";
  // Another context has a module and variables of its own.
  ASSERT_EQ(cuCtxCreate_v2(&own, 0, 0), 0);
  ASSERT_EQ(cuKernelGetFunction(&there, kernel), 0);
  EXPECT_NE(here, there);
  ASSERT_EQ(cuCtxDestroy_v2(own), 0);
  EXPECT_EQ(cuFuncGetAttribute(reinterpret_cast<int *>(&count), 4, there), 400) << "gone with its context";
  ASSERT_EQ(launch(here, {1}, {32}, 0, p), 0);
  ASSERT_EQ(cuLibraryUnload(library), 0);
  EXPECT_EQ(launch(kernel, {1}, {32}, 0, p), 400);
  EXPECT_EQ(cuLibraryUnload(library), 400);
}

TEST_F(Images, TheLinkerTakesOnePtx) {
  void *link = nullptr, *image = nullptr, *module = nullptr;
  char log[200] = "";
  int options[] = {5, 6};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  ASSERT_EQ(cuLinkCreate_v2(2, options, values, &link), 0);
  EXPECT_EQ(cuLinkComplete(link, &image, nullptr), 1) << "nothing to link";
  const char *bad = ".version 7.0\n.target sm_75\n.visible .entry k()\n{\nfrob;\n}\n";
  EXPECT_EQ(cuLinkAddData_v2(link, 1, bad, std::strlen(bad) + 1, "bad.ptx", 0, nullptr, nullptr), 218);
  EXPECT_NE(std::string(log).find("bad.ptx: "), std::string::npos) << log;
  EXPECT_NE(std::string(log).find("line 5"), std::string::npos) << log;
  ASSERT_EQ(cuLinkAddData_v2(link, 1, fill, std::strlen(fill) + 1, "fill.ptx", 0, nullptr, nullptr), 0);
  EXPECT_EQ(cuLinkAddData_v2(link, 1, fill, std::strlen(fill) + 1, "again.ptx", 0, nullptr, nullptr), 801);
  EXPECT_STREQ(log, "again.ptx: the virtual GPU links one PTX input only");
  size_t size = 0;
  ASSERT_EQ(cuLinkComplete(link, &image, &size), 0);
  ASSERT_EQ(cuModuleLoadData(&module, image), 0);
  ASSERT_EQ(cuLinkDestroy(link), 0);
  EXPECT_NE(function(module, "fill"), nullptr);
}

TEST_F(Images, LaunchAttributes) {
  void *f = function(loadText(fill), "fill"), *stream = nullptr, *event = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, 1), 0);
  ASSERT_EQ(cuEventCreate(&event, 0), 0);
  auto p = zeros<int>(32);
  void *params[] = {&p};
  LaunchAttribute attributes[3]{};
  LaunchConfig c{4, 1, 1, 32, 1, 1, 0, nullptr, attributes, 1};
  c.stream = reinterpret_cast<decltype(c.stream)>(stream);
  attributes[0].id = 6; // programmatic serialization: a hint
  attributes[0].value.number = 1;
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), 0);
  attributes[0].id = 2; // cooperative
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), 0);
  c.gridX = 10000000;
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), 720);
  c.gridX = 4;
  attributes[0].id = 4; // a cluster
  attributes[0].value.cluster[0] = 2, attributes[0].value.cluster[1] = attributes[0].value.cluster[2] = 1;
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), arch >= 90 ? 0 : 912);
  int clusters = 0;
  EXPECT_EQ(cuOccupancyMaxActiveClusters(&clusters, f, &c), arch >= 90 ? 0 : 912);
  EXPECT_EQ(clusters > 0, arch >= 90);
  attributes[0].value.cluster[0] = 3;
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), 1) << "does not divide the grid";
  attributes[0].value.cluster[0] = 1 << 16, attributes[0].value.cluster[1] = 1 << 16;
  EXPECT_NE(cuLaunchKernelEx(&c, f, params, nullptr), 0);
  attributes[0].id = 99;
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), 1) << "no such attribute";
  attributes[0].id = 12; // an event at completion
  attributes[0].value.event = reinterpret_cast<decltype(attributes[0].value.event)>(event);
  EXPECT_EQ(cuLaunchKernelEx(&c, f, params, nullptr), 0);
  float ms = 0;
  EXPECT_EQ(cuEventElapsedTime(&ms, event, event), 0) << "it was recorded";
  // Parameters as one buffer.
  size_t bytes = sizeof p;
  void *extra[] = {reinterpret_cast<void *>(1), &p, reinterpret_cast<void *>(2), &bytes, nullptr};
  EXPECT_EQ(cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra), 0);
  bytes = 4;
  EXPECT_EQ(cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra), 1) << "too few";
  EXPECT_EQ(cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, nullptr), 1) << "none";
  int grid = 0, block = 0;
  ASSERT_EQ(
      cuOccupancyMaxPotentialBlockSize(&grid, &block, f, [](int threads) { return size_t(threads) * 16; }, 0, 512), 0);
  EXPECT_GE(block, 32);
  EXPECT_LE(block, 512);
}

TEST_F(Images, StreamsWaitForTheDefaultStreamAndForEvents) {
  void *f = function(loadText(fill), "fill"), *blocking = nullptr, *free = nullptr, *from = nullptr, *to = nullptr,
       *alone = nullptr;
  ASSERT_EQ(cuStreamCreate(&blocking, 0), 0);
  ASSERT_EQ(cuStreamCreate(&free, 1), 0);
  for (void **e : {&from, &to, &alone})
    ASSERT_EQ(cuEventCreate(e, 0), 0);
  auto p = zeros<int>(32);
  void *params[] = {&p};
  auto on = [&](void *s) { ASSERT_EQ(cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, s, params, nullptr), 0); };
  ASSERT_EQ(cuEventRecord(from, nullptr), 0);
  for (int i = 0; i < 10; ++i)
    on(nullptr);
  ASSERT_EQ(cuEventRecord(alone, free), 0);
  on(blocking);
  ASSERT_EQ(cuEventRecord(to, blocking), 0);
  float waited = 0, independent = 0;
  ASSERT_EQ(cuEventElapsedTime(&waited, from, to), 0);
  ASSERT_EQ(cuEventElapsedTime(&independent, from, alone), 0);
  EXPECT_GT(waited, 0.01f) << "after eleven launches";
  EXPECT_LT(independent, waited) << "a stream that does not wait";
  ASSERT_EQ(cuStreamWaitEvent(free, to, 0), 0);
  ASSERT_EQ(cuEventRecord(alone, free), 0);
  ASSERT_EQ(cuEventElapsedTime(&independent, from, alone), 0);
  EXPECT_GE(independent, waited);
  EXPECT_EQ(cuStreamQuery(free), 0);
  int called = 0;
  auto callback = [](void *, int code, void *data) { *static_cast<int *>(data) += code == 0; };
  ASSERT_EQ(cuStreamAddCallback(free, callback, &called, 0), 0);
  EXPECT_EQ(called, 1);
  ASSERT_EQ(cuStreamWriteValue32_v2(free, p, 77, 0), 0);
  ASSERT_EQ(cuStreamWaitValue32_v2(free, p, 77, 1), 0);
  EXPECT_EQ(cuStreamWaitValue32_v2(free, p, 78, 1), 801) << "nothing could come to write it";
  EXPECT_EQ(cuStreamWriteValue32_v2(free, p + 1, 1, 0), 1) << "misaligned";
  EXPECT_EQ(download<int>(p, 1)[0], 77);
  // An event without times cannot be asked for them.
  void *untimed = nullptr;
  ASSERT_EQ(cuEventCreate(&untimed, 2), 0);
  ASSERT_EQ(cuEventRecord(untimed, free), 0);
  EXPECT_EQ(cuEventElapsedTime(&waited, from, untimed), 400);
}

TEST_F(Images, AFailureStaysWithItsContextUntilThatGoes) {
  void *f = function(loadText(fill), "fill"), *own = nullptr, *stream = nullptr;
  CUdeviceptr nowhere = 64;
  ASSERT_EQ(cuCtxCreate_v2(&own, 0, 0), 0);
  void *bad = function(loadText(fill), "fill");
  ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
  EXPECT_EQ(launch(bad, {1}, {32}, 0, nowhere), 700);
  EXPECT_EQ(cuStreamSynchronize(stream), 700);
  EXPECT_EQ(cuMemAlloc_v2(&nowhere, 16), 700);
  EXPECT_EQ(cuCtxSynchronize(), 700);
  EXPECT_EQ(cuStreamDestroy_v2(stream), 0) << "what gives back still works";
  void *popped = nullptr;
  ASSERT_EQ(cuCtxPopCurrent_v2(&popped), 0);
  EXPECT_EQ(popped, own);
  auto p = zeros<int>(32);
  EXPECT_EQ(launch(f, {1}, {32}, 0, p), 0) << "another context of the same device";
  ASSERT_EQ(cuCtxDestroy_v2(own), 0);
  EXPECT_EQ(cuCtxPushCurrent_v2(own), 201);
  // A context destroyed while it is current.
  ASSERT_EQ(cuDevicePrimaryCtxReset_v2(0), 0);
  EXPECT_EQ(cuMemAlloc_v2(&nowhere, 16), 709);
  ASSERT_EQ(cuCtxSetCurrent(nullptr), 0);
  EXPECT_EQ(cuMemAlloc_v2(&nowhere, 16), 201);
}

} // namespace
