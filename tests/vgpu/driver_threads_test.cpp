// Several threads of a program use the driver at once, each with streams of its own: the answers are as with one
// thread, and a build with -fsanitize=thread has nothing to say.
#include "tests/vgpu/cuda_api.h"
#include <atomic>
#include <thread>

extern "C" int cuLaunchHostFunc(void *, void (*)(void *), void *);
extern "C" int cuMemcpyHtoDAsync_v2(CUdeviceptr, const void *, size_t, void *);
extern "C" int cuMemcpyDtoHAsync_v2(void *, CUdeviceptr, size_t, void *);

namespace {

const char *const accumulate =
    ".version 7.0\n.target sm_75\n.address_size 64\n.visible .global .u32 rounds;\n"
    ".visible .entry accumulate(.param .u64 p, .param .u32 v)\n{\n"
    ".reg .b32 %r<8>;\n.reg .b64 %rd<4>;\n"
    "ld.param.u64 %rd1, [p];\nld.param.u32 %r1, [v];\n"
    "mov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\nmov.u32 %r4, %tid.x;\nmad.lo.s32 %r5, %r2, %r3, %r4;\n"
    "mul.wide.u32 %rd2, %r5, 4;\nadd.s64 %rd3, %rd1, %rd2;\n"
    "ld.global.u32 %r6, [%rd3];\nadd.u32 %r7, %r6, %r1;\nst.global.u32 [%rd3], %r7;\nret;\n}\n";

constexpr int threads = 4, rounds = 12, blocks = 8, n = blocks * 64;

class Threads : public VirtualGpu {};

// What one thread does; the number of checks that failed.
int work(void *context, void *shared, int which) {
  int wrong = 0;
  auto must = [&](bool holds) { wrong += !holds; };
  must(cuCtxSetCurrent(context) == 0);
  void *stream = nullptr, *event = nullptr, *own = nullptr, *module = nullptr;
  must(cuStreamCreate(&stream, 1) == 0 && cuEventCreate(&event, 0) == 0);
  for (int round = 0; round < rounds; ++round) {
    CUdeviceptr p = 0;
    std::vector<int> values(n, which), got(n);
    must(cuModuleLoadData(&module, accumulate) == 0 && cuModuleGetFunction(&own, module, "accumulate") == 0);
    must(cuMemAlloc_v2(&p, n * sizeof(int)) == 0);
    must(cuMemcpyHtoDAsync_v2(p, values.data(), n * sizeof(int), stream) == 0);
    int v = 10;
    void *params[] = {&p, &v};
    for (void *f : {own, shared})
      must(cuLaunchKernel(f, blocks, 1, 1, 64, 1, 1, 0, stream, params, nullptr) == 0);
    void *graph = nullptr, *exec = nullptr;
    must(cuStreamBeginCapture_v2(stream, 2) == 0);
    must(cuLaunchKernel(own, blocks, 1, 1, 64, 1, 1, 0, stream, params, nullptr) == 0);
    must(cuStreamEndCapture(stream, &graph) == 0 && cuGraphInstantiateWithFlags(&exec, graph, 0) == 0);
    must(cuGraphLaunch(exec, stream) == 0 && cuGraphExecDestroy(exec) == 0 && cuGraphDestroy(graph) == 0);
    std::atomic<int> called{0};
    must(cuLaunchHostFunc(stream, [](void *c) { ++*static_cast<std::atomic<int> *>(c); }, &called) == 0);
    must(cuEventRecord(event, stream) == 0);
    must(cuMemcpyDtoHAsync_v2(got.data(), p, n * sizeof(int), stream) == 0);
    must(cuStreamSynchronize(stream) == 0 && called == 1);
    must(got == std::vector<int>(n, which + 30));
    must(cuMemFree_v2(p) == 0 && cuModuleUnload(module) == 0);
  }
  must(cuEventDestroy_v2(event) == 0 && cuStreamDestroy_v2(stream) == 0);
  return wrong;
}

TEST_F(Threads, StreamsOfSeveralThreadsAndDevices) {
  void *other = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&other, 1), 0);
  void *contexts[] = {context, other}, *shared[2] = {};
  for (int d = 0; d < 2; ++d) {
    cuCtxSetCurrent(contexts[d]);
    shared[d] = function(loadText(accumulate), "accumulate");
  }
  std::vector<std::thread> all;
  int wrong[threads] = {};
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] { wrong[t] = work(contexts[t % 2], shared[t % 2], t); });
  for (std::thread &t : all)
    t.join();
  for (int t = 0; t < threads; ++t)
    EXPECT_EQ(wrong[t], 0) << "thread " << t;
  cuDevicePrimaryCtxReset_v2(1);
}

// A context that dies under the threads that use it answers them, and does no more.
TEST_F(Threads, AContextMayBeResetUnderItsUsers) {
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0}, unknown{0};
  std::vector<std::thread> users;
  for (int t = 0; t < 2; ++t)
    users.emplace_back([&] {
      while (!stop) {
        CUdeviceptr p = 0;
        void *stream = nullptr, *now = nullptr;
        cuDevicePrimaryCtxRetain(&now, 1);
        cuCtxSetCurrent(now);
        for (int code : {cuMemAlloc_v2(&p, 4096), cuStreamCreate(&stream, 0), cuMemsetD8_v2(p, 1, 4096),
                         cuStreamSynchronize(stream), cuMemFree_v2(p)}) {
          refused += code != 0;
          unknown += code != 0 && code != 709 && code != 201 && code != 400 && code != 1;
        }
      }
    });
  for (int i = 0; i < 200; ++i)
    ASSERT_EQ(cuDevicePrimaryCtxReset_v2(1), 0);
  stop = true;
  for (std::thread &t : users)
    t.join();
  EXPECT_EQ(unknown, 0) << "of " << refused << " refusals";
  cuDevicePrimaryCtxReset_v2(1);
}

} // namespace
