// The driver API as programs rely on it: errors, handles, memory, streams, events, graphs, several devices.
#include "tests/vgpu/cuda_api.h"
#include <cstring>
#include <map>

namespace {

const char *const addOne =
    ".version 7.0\n.target sm_75\n.address_size 64\n"
    ".visible .entry addOne(.param .u64 p, .param .u32 n)\n{\n"
    ".reg .pred %p<2>;\n.reg .b32 %r<8>;\n.reg .b64 %rd<4>;\n"
    "ld.param.u64 %rd1, [p];\nld.param.u32 %r1, [n];\n"
    "mov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\nmov.u32 %r4, %tid.x;\n"
    "mad.lo.s32 %r5, %r2, %r3, %r4;\nsetp.ge.u32 %p1, %r5, %r1;\n@%p1 bra DONE;\n"
    "mul.wide.u32 %rd2, %r5, 4;\nadd.s64 %rd3, %rd1, %rd2;\n"
    "ld.global.u32 %r6, [%rd3];\nadd.u32 %r7, %r6, 1;\nst.global.u32 [%rd3], %r7;\nDONE:\nret;\n}\n";

class Driver : public VirtualGpu {
protected:
  void *kernel() { return function(loadText(addOne), "addOne"); }
};

TEST_F(Driver, RefusesBadPtxWithALineInTheLog) {
  const std::map<std::string, std::string> wrong{
      {".version 7.0\n.target sm_75\n.visible .entry k()\n{\nfrobnicate.u32 %r1, 2;\n}\n",
       "line 5: unknown instruction 'frobnicate'"},
      {".version 7.0\n.target sm_75\n.visible .entry k()\n{\n.reg .b32 %r<2>;\nadd.u32.sideways %r1, %r1, 2;\n}\n",
       "line 6: unknown modifier .sideways of add"},
      {".version 7.0\n.target sm_75\n.visible .entry k()\n{\nbra NOWHERE;\n}\n", "line 5: there is no label NOWHERE"},
      {".version 7.0\n.target sm_75\n.visible .entry k()\n{\n.reg .b32 %r<2>;\n.reg .b64 %rd<2>;\nadd.u64 %rd1, %r1, "
       "2;\n}\n",
       "line 7: add: the register %r1 is narrower than .u64"},
      {".version 7.0\n.target sm_75\n.visible .entry k()\n{\n", "line 5: the function k has no closing brace"},
      {".version 6.0\n.target sm_75\n.visible .entry k()\n{\n.reg .b32 %r<2>;\nredux.sync.add.u32 %r1, %r1, -1;\n}\n",
       "line 6: redux.sync needs PTX version 7.0, the module says 6.0"},
  };
  for (const auto &[text, message] : wrong) {
    void *module = nullptr;
    char log[512] = "";
    int options[] = {5, 6};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    EXPECT_EQ(cuModuleLoadDataEx(&module, text.c_str(), 2, options, values), 218) << text;
    EXPECT_NE(std::string(log).find(message), std::string::npos) << log;
  }
  void *module = nullptr;
  EXPECT_EQ(cuModuleLoadData(&module, ".version 8.0\n.target sm_121\n"), 209);
  EXPECT_EQ(cuModuleLoadData(&module, "\x7f"
                                      "ELF......................"),
            209);
  EXPECT_EQ(cuModuleLoadData(&module, "what is this? no image"), 200);
}

TEST_F(Driver, RefusesBadHandlesAndPointers) {
  int value = 0;
  void *handle = nullptr, *foreign = &value;
  CUdeviceptr p = 0;
  float ms = 0;
  EXPECT_EQ(cuModuleGetFunction(&handle, foreign, "k"), 400);
  EXPECT_EQ(cuModuleUnload(foreign), 400);
  EXPECT_EQ(cuModuleUnload(nullptr), 400);
  EXPECT_EQ(cuStreamSynchronize(foreign), 400);
  EXPECT_EQ(cuStreamDestroy_v2(foreign), 400);
  EXPECT_EQ(cuEventDestroy_v2(nullptr), 400);
  EXPECT_EQ(cuEventElapsedTime(&ms, foreign, foreign), 400);
  EXPECT_EQ(cuGraphLaunch(foreign, nullptr), 400);
  EXPECT_EQ(cuLaunchKernel(foreign, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr), 400);
  EXPECT_EQ(cuFuncGetAttribute(&value, 0, foreign), 400);
  EXPECT_EQ(cuCtxSetCurrent(foreign), 201);
  EXPECT_EQ(cuMemAlloc_v2(nullptr, 4), 1);
  EXPECT_EQ(cuMemAlloc_v2(&p, 0), 1);
  EXPECT_EQ(cuMemFree_v2(12345), 1);
  EXPECT_EQ(cuMemcpyHtoD_v2(12345, &value, 4), 1);
  EXPECT_EQ(cuMemcpyDtoH_v2(nullptr, 12345, 4), 1);
  EXPECT_EQ(cuDeviceGet(&value, 99), 101);
  EXPECT_EQ(cuModuleLoadData(&handle, nullptr), 1);
  void *stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
  ASSERT_EQ(cuStreamDestroy_v2(stream), 0);
  EXPECT_EQ(cuStreamDestroy_v2(stream), 400) << "a stale handle";
}

TEST_F(Driver, RefusesImpossibleLaunches) {
  void *f = kernel();
  auto p = zeros<int>(64);
  int n = 64;
  EXPECT_EQ(launch(f, {0}, {64}, 0, p, n), 1);
  EXPECT_EQ(launch(f, {1}, {1025}, 0, p, n), 1);
  EXPECT_EQ(launch(f, {1}, {32, 64}, 0, p, n), 1);
  EXPECT_EQ(launch(f, {1, 65536}, {32}, 0, p, n), 1);
  EXPECT_EQ(launch(f, {1}, {32}, 49153, p, n), 1) << "more than 48 KiB without asking";
  int most = 0;
  cuDeviceGetAttribute(&most, 97, 0);
  EXPECT_EQ(cuFuncSetAttribute(f, 8, most + 1), 1);
  EXPECT_EQ(cuFuncSetAttribute(f, 8, most), 0);
  EXPECT_EQ(launch(f, {1}, {32}, unsigned(most), p, n), 0) << findings();
  void *params[] = {&p, &n};
  EXPECT_EQ(cuLaunchCooperativeKernel(f, 1000000, 1, 1, 1024, 1, 1, 0, nullptr, params), 720);
}

TEST_F(Driver, MemoryHasTheChipsCapacity) {
  size_t free = 0, total = 0;
  ASSERT_EQ(cuMemGetInfo_v2(&free, &total), 0);
  CUdeviceptr p = 0, q = 0;
  EXPECT_EQ(cuMemAlloc_v2(&p, total + 1), 2);
  ASSERT_EQ(cuMemAlloc_v2(&p, free / 2), 0);
  EXPECT_EQ(cuMemAlloc_v2(&q, free / 2 + 4096), 2);
  EXPECT_EQ(cuMemFree_v2(p), 0);
  EXPECT_EQ(cuMemFree_v2(p), 1) << "freed twice";
  ASSERT_EQ(cuMemAlloc_v2(&q, free / 2 + 4096), 0);
  EXPECT_EQ(cuMemFree_v2(q), 0);
}

TEST_F(Driver, EventsMeasureModelledTime) {
  void *f = kernel(), *start = nullptr, *stop = nullptr;
  int n = 1 << 16;
  auto p = zeros<int>(size_t(n));
  ASSERT_EQ(cuEventCreate(&start, 0), 0);
  ASSERT_EQ(cuEventCreate(&stop, 0), 0);
  float ms = -1;
  EXPECT_EQ(cuEventElapsedTime(&ms, start, stop), 400) << "not recorded yet";
  ASSERT_EQ(cuEventRecord(start, nullptr), 0);
  ASSERT_EQ(launch(f, {unsigned(n) / 256}, {256}, 0, p, n), 0) << findings();
  ASSERT_EQ(cuEventRecord(stop, nullptr), 0);
  ASSERT_EQ(cuEventElapsedTime(&ms, start, stop), 0);
  EXPECT_GT(ms, 0.001f);
  EXPECT_LT(ms, 1);
}

TEST_F(Driver, CapturedGraphsReplay) {
  void *f = kernel(), *stream = nullptr, *graph = nullptr, *exec = nullptr;
  int n = 100;
  auto p = zeros<int>(100);
  ASSERT_EQ(cuStreamCreate(&stream, 1), 0);
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, 0), 0);
  void *params[] = {&p, &n};
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(cuLaunchKernel(f, 1, 1, 1, 128, 1, 1, 0, stream, params, nullptr), 0);
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), 0);
  EXPECT_EQ(download<int>(p, 100)[0], 0) << "a captured launch does not run";
  size_t nodes = 0;
  ASSERT_EQ(cuGraphGetNodes(graph, nullptr, &nodes), 0);
  EXPECT_EQ(nodes, 3u);
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), 0);
  for (int i = 0; i < 4; ++i)
    ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(download<int>(p, 100), std::vector<int>(100, 12));
  EXPECT_EQ(cuGraphExecDestroy(exec), 0);
  EXPECT_EQ(cuGraphDestroy(graph), 0);
}

TEST_F(Driver, FindsEntryPointsByName) {
  void *f = nullptr;
  int status = -1;
  EXPECT_EQ(cuGetProcAddress_v2("cuMemAlloc", &f, 13000, 0, &status), 0);
  EXPECT_EQ(f, reinterpret_cast<void *>(&cuMemAlloc_v2));
  EXPECT_EQ(cuGetProcAddress_v2("cuNoSuchThing", &f, 13000, 0, &status), 500);
}

TEST_F(Driver, SeveralDevicesCopyToEachOther) {
  int count = 0;
  ASSERT_EQ(cuDeviceGetCount(&count), 0);
  ASSERT_EQ(count, 2);
  auto here = upload(std::vector<int>{1, 2, 3, 4});
  void *other = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&other, 1), 0);
  ASSERT_EQ(cuCtxSetCurrent(other), 0);
  auto there = zeros<int>(4);
  ASSERT_EQ(cuMemcpyPeer(there, other, here, context, 16), 0);
  EXPECT_EQ(download<int>(there, 4), (std::vector<int>{1, 2, 3, 4}));
  cuDevicePrimaryCtxReset_v2(1);
}

} // namespace
