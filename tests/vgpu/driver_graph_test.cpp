// Graphs and captures as programs rely on them: what is recorded, what spoils it, nodes made one by one, updates.
#include "runtime/vgpu/driver/abi.h"
#include "tests/vgpu/cuda_api.h"
#include <algorithm>
#include <thread>

// The toolkit's structures by our own declarations of them.
using tessera::vgpu::driver::AllocNodeParams;
using tessera::vgpu::driver::GraphNodeParams;
using tessera::vgpu::driver::HostNodeParams;
using tessera::vgpu::driver::KernelNodeParams;
using tessera::vgpu::driver::Memcpy3D;
using tessera::vgpu::driver::MemsetNodeParams;
using tessera::vgpu::driver::UpdateResult;

extern "C" {
int cuStreamIsCapturing(void *, int *);
int cuStreamGetCaptureInfo_v2(void *, int *, uint64_t *, void **, void *const **, size_t *);
int cuStreamQuery(void *);
int cuEventQuery(void *);
int cuEventRecordWithFlags(void *, void *, unsigned);
int cuLaunchHostFunc(void *, void (*)(void *), void *);
int cuMemAllocAsync(CUdeviceptr *, size_t, void *);
int cuMemFreeAsync(CUdeviceptr, void *);
int cuThreadExchangeStreamCaptureMode(int *);
int cuGraphCreate(void **, unsigned);
int cuGraphClone(void **, void *);
int cuGraphNodeFindInClone(void **, void *, void *);
int cuGraphAddEmptyNode(void **, void *, void *const *, size_t);
int cuGraphAddKernelNode_v2(void **, void *, void *const *, size_t, const KernelNodeParams *);
int cuGraphAddMemcpyNode(void **, void *, void *const *, size_t, const Memcpy3D *, void *);
int cuGraphAddMemsetNode(void **, void *, void *const *, size_t, const MemsetNodeParams *, void *);
int cuGraphAddHostNode(void **, void *, void *const *, size_t, const HostNodeParams *);
int cuGraphAddChildGraphNode(void **, void *, void *const *, size_t, void *);
int cuGraphAddEventRecordNode(void **, void *, void *const *, size_t, void *);
int cuGraphAddEventWaitNode(void **, void *, void *const *, size_t, void *);
int cuGraphAddMemAllocNode(void **, void *, void *const *, size_t, AllocNodeParams *);
int cuGraphAddMemFreeNode(void **, void *, void *const *, size_t, CUdeviceptr);
int cuGraphAddNode(void **, void *, void *const *, size_t, GraphNodeParams *);
int cuGraphAddDependencies(void *, void *const *, void *const *, size_t);
int cuGraphRemoveDependencies(void *, void *const *, void *const *, size_t);
int cuGraphGetEdges(void *, void **, void **, size_t *);
int cuGraphGetRootNodes(void *, void **, size_t *);
int cuGraphDestroyNode(void *);
int cuGraphNodeGetType(void *, int *);
int cuGraphKernelNodeGetParams_v2(void *, KernelNodeParams *);
int cuGraphExecKernelNodeSetParams_v2(void *, void *, const KernelNodeParams *);
int cuGraphExecMemsetNodeSetParams(void *, void *, const MemsetNodeParams *, void *);
int cuGraphExecChildGraphNodeSetParams(void *, void *, void *);
int cuGraphExecUpdate_v2(void *, void *, UpdateResult *);
int cuGraphNodeSetEnabled(void *, void *, unsigned);
int cuUserObjectCreate(void **, void *, void (*)(void *), unsigned, unsigned);
int cuGraphRetainUserObject(void *, void *, unsigned, unsigned);
}

namespace {

const char *const addTo = ".version 7.0\n.target sm_75\n.address_size 64\n"
                          ".visible .entry add(.param .u64 p, .param .u32 v)\n{\n"
                          ".reg .b32 %r<8>;\n.reg .b64 %rd<4>;\n"
                          "ld.param.u64 %rd1, [p];\nld.param.u32 %r1, [v];\nmov.u32 %r2, %tid.x;\n"
                          "mul.wide.u32 %rd2, %r2, 4;\nadd.s64 %rd3, %rd1, %rd2;\n"
                          "ld.global.u32 %r3, [%rd3];\nadd.u32 %r4, %r3, %r1;\nst.global.u32 [%rd3], %r4;\nret;\n}\n"
                          ".visible .entry twice(.param .u64 p, .param .u32 v)\n{\n"
                          ".reg .b32 %r<8>;\n.reg .b64 %rd<4>;\n"
                          "ld.param.u64 %rd1, [p];\nmov.u32 %r2, %tid.x;\n"
                          "mul.wide.u32 %rd2, %r2, 4;\nadd.s64 %rd3, %rd1, %rd2;\n"
                          "ld.global.u32 %r3, [%rd3];\nshl.b32 %r4, %r3, 1;\nst.global.u32 [%rd3], %r4;\nret;\n}\n";

class Graphs : public VirtualGpu {
protected:
  void SetUp() override {
    VirtualGpu::SetUp();
    module = loadText(addTo);
    add = function(module, "add");
    twice = function(module, "twice");
    ASSERT_EQ(cuStreamCreate(&stream, 1), 0);
    ASSERT_EQ(cuStreamCreate(&other, 1), 0);
    ASSERT_EQ(cuEventCreate(&event, 0), 0);
    ASSERT_EQ(cuGraphCreate(&graph, 0), 0);
    memory = zeros<int>(32);
  }
  void TearDown() override {
    cuGraphDestroy(graph);
    VirtualGpu::TearDown();
  }
  int launchOn(void *s, void *f, int value) {
    void *params[] = {&memory, &value};
    return cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 0, s, params, nullptr);
  }
  KernelNodeParams node(void *f, int &value) {
    slots[0] = &memory, slots[1] = &value;
    KernelNodeParams p{};
    p.function = reinterpret_cast<decltype(p.function)>(f);
    p.gridX = p.gridY = p.gridZ = p.blockY = p.blockZ = 1;
    p.blockX = 32;
    p.kernelParams = slots;
    return p;
  }
  void *kernelNode(std::vector<void *> after, void *f, int value) {
    void *made = nullptr;
    KernelNodeParams p = node(f, value);
    EXPECT_EQ(cuGraphAddKernelNode_v2(&made, graph, after.data(), after.size(), &p), 0);
    return made;
  }
  void *instantiate(void *from) {
    void *exec = nullptr;
    EXPECT_EQ(cuGraphInstantiateWithFlags(&exec, from, 0), 0);
    return exec;
  }
  int value() { return download<int>(memory, 32)[7]; }
  int status(void *s) {
    int now = -1;
    EXPECT_EQ(cuStreamIsCapturing(s, &now), 0);
    return now;
  }

  void *module = nullptr, *add = nullptr, *twice = nullptr, *stream = nullptr, *other = nullptr, *event = nullptr,
       *graph = nullptr, *slots[2] = {};
  CUdeviceptr memory = 0;
};

TEST_F(Graphs, ACaptureForksAndJoinsThroughEvents) {
  void *captured = nullptr, *back = nullptr;
  ASSERT_EQ(cuEventCreate(&back, 0), 0);
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, 0), 0);
  ASSERT_EQ(launchOn(stream, add, 1), 0);
  ASSERT_EQ(cuEventRecord(event, stream), 0);
  ASSERT_EQ(cuStreamWaitEvent(other, event, 0), 0);
  EXPECT_EQ(status(other), 1);
  ASSERT_EQ(launchOn(other, twice, 0), 0);
  ASSERT_EQ(cuEventRecord(back, other), 0);
  ASSERT_EQ(cuStreamWaitEvent(stream, back, 0), 0);
  ASSERT_EQ(launchOn(stream, add, 5), 0);
  ASSERT_EQ(cuStreamEndCapture(stream, &captured), 0);
  EXPECT_EQ(status(other), 0);
  size_t edges = 0, nodes = 0;
  ASSERT_EQ(cuGraphGetNodes(captured, nullptr, &nodes), 0);
  ASSERT_EQ(cuGraphGetEdges(captured, nullptr, nullptr, &edges), 0);
  EXPECT_EQ(nodes, 3u);
  EXPECT_EQ(edges, 3u) << "both of the last launch's dependencies, and the fork";
  ASSERT_EQ(cuGraphLaunch(instantiate(captured), stream), 0);
  EXPECT_EQ(value(), 7);
}

TEST_F(Graphs, WhatSpoilsACaptureSaysSo) {
  void *captured = nullptr;
  auto begin = [&](int mode) { ASSERT_EQ(cuStreamBeginCapture_v2(stream, mode), 0); };
  auto ended = [&](int want) {
    captured = &captured;
    EXPECT_EQ(cuStreamEndCapture(stream, &captured), want);
    EXPECT_EQ(captured, nullptr);
    EXPECT_EQ(status(stream), 0);
  };
  EXPECT_EQ(cuStreamBeginCapture_v2(nullptr, 0), 900) << "the legacy stream";
  EXPECT_EQ(cuStreamEndCapture(stream, &captured), 401) << "nothing was begun";
  begin(0);
  EXPECT_EQ(cuStreamBeginCapture_v2(stream, 0), 401);
  EXPECT_EQ(cuStreamSynchronize(stream), 900);
  EXPECT_EQ(status(stream), 2);
  EXPECT_EQ(launchOn(stream, add, 1), 901);
  ended(901);
  begin(0);
  CUdeviceptr p = 0;
  EXPECT_EQ(cuMemAlloc_v2(&p, 64), 900) << "may synchronise: forbidden in the global mode";
  ended(901);
  begin(2);
  EXPECT_EQ(cuMemAlloc_v2(&p, 64), 0) << "the relaxed mode allows it";
  EXPECT_EQ(cuCtxSynchronize(), 900);
  ended(901);
  begin(2);
  ASSERT_EQ(cuEventRecord(event, stream), 0);
  EXPECT_EQ(cuEventQuery(event), 907) << "a captured event";
  ended(901);
  ASSERT_EQ(cuEventRecord(event, other), 0);
  begin(2);
  EXPECT_EQ(cuStreamWaitEvent(stream, event, 0), 905) << "an event from outside";
  ended(901);
  begin(2);
  ASSERT_EQ(cuEventRecord(event, stream), 0);
  ASSERT_EQ(cuStreamWaitEvent(other, event, 0), 0);
  ASSERT_EQ(launchOn(other, add, 1), 0);
  EXPECT_EQ(cuStreamEndCapture(other, &captured), 903) << "not the one that began";
  ended(904);
  begin(0);
  std::thread([&] {
    cuCtxSetCurrent(context);
    EXPECT_EQ(cuStreamEndCapture(stream, &captured), 908) << "another thread";
    EXPECT_EQ(cuMemAlloc_v2(&p, 64), 900) << "the global mode binds every thread";
    int relaxed = 2;
    EXPECT_EQ(cuThreadExchangeStreamCaptureMode(&relaxed), 0);
    EXPECT_EQ(relaxed, 0);
    EXPECT_EQ(cuMemAlloc_v2(&p, 64), 0) << "unless it says that it knows";
  }).join();
  ended(901);
  void *blocking = nullptr;
  ASSERT_EQ(cuStreamCreate(&blocking, 0), 0);
  ASSERT_EQ(cuStreamBeginCapture_v2(blocking, 2), 0);
  EXPECT_EQ(launchOn(nullptr, add, 1), 906) << "the legacy stream would wait for what is captured";
  EXPECT_EQ(cuStreamEndCapture(blocking, &captured), 901);
  EXPECT_EQ(value(), 0) << "none of it ran";
}

TEST_F(Graphs, EveryKindOfNodeRunsInTheOrderOfItsEdges) {
  void *set = nullptr, *copy = nullptr, *host = nullptr, *child = nullptr, *record = nullptr, *wait = nullptr,
       *empty = nullptr, *inner = nullptr, *innerNode = nullptr;
  auto target = zeros<int>(32);
  int seen = -1;
  MemsetNodeParams fill{memory, 0, 3, 4, 32, 1};
  ASSERT_EQ(cuGraphAddMemsetNode(&set, graph, nullptr, 0, &fill, context), 0);
  void *kernel = kernelNode({set}, add, 4); // 7
  ASSERT_EQ(cuGraphCreate(&inner, 0), 0);
  int value = 0;
  KernelNodeParams p = node(twice, value);
  ASSERT_EQ(cuGraphAddKernelNode_v2(&innerNode, inner, nullptr, 0, &p), 0);
  ASSERT_EQ(cuGraphAddChildGraphNode(&child, graph, &kernel, 1, inner), 0); // 14
  ASSERT_EQ(cuGraphDestroy(inner), 0) << "the node has a copy";
  ASSERT_EQ(cuGraphAddEventRecordNode(&record, graph, &child, 1, event), 0);
  ASSERT_EQ(cuGraphAddEventWaitNode(&wait, graph, &record, 1, event), 0);
  Memcpy3D box{};
  box.srcType = box.dstType = 2;
  box.srcDevice = memory, box.dstDevice = target;
  box.width = 128, box.height = box.depth = 1;
  ASSERT_EQ(cuGraphAddMemcpyNode(&copy, graph, &wait, 1, &box, context), 0);
  struct Call {
    int *seen;
    CUdeviceptr from;
  } call{&seen, target};
  HostNodeParams look{[](void *data) {
                        auto &c = *static_cast<Call *>(data);
                        *c.seen = *reinterpret_cast<int *>(c.from); // virtual memory is the host's as well
                      },
                      &call};
  ASSERT_EQ(cuGraphAddHostNode(&host, graph, &copy, 1, &look), 0);
  ASSERT_EQ(cuGraphAddEmptyNode(&empty, graph, &host, 1), 0);
  const std::pair<void *, int> types[] = {{kernel, 0}, {copy, 1},  {set, 2},  {host, 3},
                                          {child, 4},  {empty, 5}, {wait, 6}, {record, 7}};
  for (auto [made, want] : types) {
    int type = -1;
    EXPECT_EQ(cuGraphNodeGetType(made, &type), 0);
    EXPECT_EQ(type, want);
  }
  ASSERT_EQ(cuGraphLaunch(instantiate(graph), stream), 0);
  EXPECT_EQ(seen, 14);
  EXPECT_EQ(download<int>(target, 32), std::vector<int>(32, 14));
  size_t roots = 0;
  ASSERT_EQ(cuGraphGetRootNodes(graph, nullptr, &roots), 0);
  EXPECT_EQ(roots, 1u);
}

TEST_F(Graphs, EdgesDecideTheOrderAndCyclesAreRefused) {
  void *a = kernelNode({}, add, 1), *b = kernelNode({}, twice, 0), *exec = nullptr;
  ASSERT_EQ(cuGraphAddDependencies(graph, &b, &a, 1), 0); // twice before add
  EXPECT_EQ(cuGraphAddDependencies(graph, &b, &a, 1), 1) << "there already";
  EXPECT_EQ(cuGraphAddDependencies(graph, &a, &a, 1), 1);
  ASSERT_EQ(cuGraphLaunch(instantiate(graph), stream), 0);
  EXPECT_EQ(value(), 1);
  ASSERT_EQ(cuGraphAddDependencies(graph, &a, &b, 1), 0);
  EXPECT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), 1) << "a cycle";
  ASSERT_EQ(cuGraphRemoveDependencies(graph, &b, &a, 1), 0); // add before twice
  ASSERT_EQ(cuGraphLaunch(instantiate(graph), stream), 0);
  EXPECT_EQ(value(), 4);
  ASSERT_EQ(cuGraphDestroyNode(a), 0);
  EXPECT_EQ(cuGraphDestroyNode(a), 400);
  ASSERT_EQ(cuGraphLaunch(instantiate(graph), stream), 0);
  EXPECT_EQ(value(), 8);
}

TEST_F(Graphs, ParametersOfAnExecutableGraphChange) {
  void *set = nullptr, *child = nullptr, *inner = nullptr, *innerNode = nullptr;
  MemsetNodeParams fill{memory, 0, 1, 4, 32, 1};
  ASSERT_EQ(cuGraphAddMemsetNode(&set, graph, nullptr, 0, &fill, context), 0);
  void *kernel = kernelNode({set}, add, 10);
  ASSERT_EQ(cuGraphCreate(&inner, 0), 0);
  int v = 100;
  KernelNodeParams p = node(add, v);
  ASSERT_EQ(cuGraphAddKernelNode_v2(&innerNode, inner, nullptr, 0, &p), 0);
  ASSERT_EQ(cuGraphAddChildGraphNode(&child, graph, &kernel, 1, inner), 0);
  void *exec = instantiate(graph);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(value(), 111);

  KernelNodeParams shown{};
  ASSERT_EQ(cuGraphKernelNodeGetParams_v2(kernel, &shown), 0);
  EXPECT_EQ(shown.blockX, 32u);
  EXPECT_EQ(*static_cast<int *>(shown.kernelParams[1]), 10);
  v = 20;
  p = node(add, v);
  ASSERT_EQ(cuGraphExecKernelNodeSetParams_v2(exec, kernel, &p), 0);
  EXPECT_EQ(cuGraphExecKernelNodeSetParams_v2(exec, set, &p), 1) << "not a kernel's node";
  fill.value = 2;
  ASSERT_EQ(cuGraphExecMemsetNodeSetParams(exec, set, &fill, context), 0);
  void *changed = nullptr;
  ASSERT_EQ(cuGraphCreate(&changed, 0), 0);
  v = 200;
  p = node(add, v);
  ASSERT_EQ(cuGraphAddKernelNode_v2(&innerNode, changed, nullptr, 0, &p), 0);
  ASSERT_EQ(cuGraphExecChildGraphNodeSetParams(exec, child, changed), 0);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(value(), 222);
  ASSERT_EQ(cuGraphNodeSetEnabled(exec, kernel, 0), 0);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(value(), 202);
  EXPECT_EQ(cuGraphAddEmptyNode(&innerNode, changed, nullptr, 0), 0);
  EXPECT_EQ(cuGraphExecChildGraphNodeSetParams(exec, child, changed), 1) << "another shape";
  p.blockX = 2000;
  EXPECT_EQ(cuGraphExecKernelNodeSetParams_v2(exec, kernel, &p), 1);
}

TEST_F(Graphs, AnExecutableGraphTakesOnALikeGraph) {
  auto record = [&](void *f, int v, int launches) {
    void *captured = nullptr;
    EXPECT_EQ(cuStreamBeginCapture_v2(stream, 2), 0);
    for (int i = 0; i < launches; ++i)
      EXPECT_EQ(launchOn(stream, f, v), 0);
    EXPECT_EQ(cuStreamEndCapture(stream, &captured), 0);
    return captured;
  };
  void *exec = instantiate(record(add, 1, 2));
  UpdateResult result{};
  ASSERT_EQ(cuGraphExecUpdate_v2(exec, record(add, 5, 2), &result), 0);
  EXPECT_EQ(result.result, 0);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(value(), 10);
  ASSERT_EQ(cuGraphExecUpdate_v2(exec, record(twice, 0, 2), &result), 0) << "another function of the same context";
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(value(), 40);
  EXPECT_EQ(cuGraphExecUpdate_v2(exec, record(add, 5, 3), &result), 910);
  EXPECT_EQ(result.result, 2) << "another topology";
  void *set = nullptr, *second = nullptr;
  MemsetNodeParams fill{memory, 0, 1, 4, 32, 1};
  ASSERT_EQ(cuGraphAddMemsetNode(&set, graph, nullptr, 0, &fill, context), 0);
  ASSERT_EQ(cuGraphAddMemsetNode(&second, graph, &set, 1, &fill, context), 0);
  EXPECT_EQ(cuGraphExecUpdate_v2(exec, graph, &result), 910);
  EXPECT_EQ(result.result, 3) << "another type of node";
  EXPECT_EQ(static_cast<void *>(result.errorNode), set);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0) << "as it was";
  EXPECT_EQ(value(), 160);
}

TEST_F(Graphs, ClonesAreIndependent) {
  void *kernel = kernelNode({}, add, 3), *clone = nullptr, *found = nullptr;
  ASSERT_EQ(cuGraphClone(&clone, graph), 0);
  ASSERT_EQ(cuGraphNodeFindInClone(&found, kernel, clone), 0);
  EXPECT_NE(found, kernel);
  ASSERT_EQ(cuGraphDestroyNode(kernel), 0);
  ASSERT_EQ(cuGraphLaunch(instantiate(clone), stream), 0);
  EXPECT_EQ(value(), 3);
}

TEST_F(Graphs, MemoryOfGraphsComesAndGoesWithThem) {
  void *alloc = nullptr, *set = nullptr, *freed = nullptr, *captured = nullptr;
  size_t before = 0, after = 0, total = 0;
  ASSERT_EQ(cuMemGetInfo_v2(&before, &total), 0);
  AllocNodeParams params{};
  params.pool.allocType = 1;
  params.pool.location = {1, 0};
  params.bytes = 1 << 20;
  ASSERT_EQ(cuGraphAddMemAllocNode(&alloc, graph, nullptr, 0, &params), 0);
  ASSERT_NE(params.address, 0u);
  MemsetNodeParams fill{params.address, 0, 9, 1, 1 << 20, 1};
  ASSERT_EQ(cuGraphAddMemsetNode(&set, graph, &alloc, 1, &fill, context), 0);
  ASSERT_EQ(cuGraphAddMemFreeNode(&freed, graph, &set, 1, params.address), 0);
  void *exec = instantiate(graph);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  ASSERT_EQ(cuGraphLaunch(exec, stream), 0);
  EXPECT_EQ(download<char>(params.address, 1)[0], 9);
  // The same by a capture.
  CUdeviceptr p = 0;
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, 0), 0);
  ASSERT_EQ(cuMemAllocAsync(&p, 4096, stream), 0);
  ASSERT_EQ(cuMemsetD32Async(p, 5, 1024, stream), 0);
  ASSERT_EQ(cuMemFreeAsync(p, stream), 0);
  ASSERT_EQ(cuStreamEndCapture(stream, &captured), 0);
  ASSERT_EQ(cuGraphLaunch(instantiate(captured), stream), 0);
  ASSERT_EQ(cuGraphExecDestroy(exec), 0);
  ASSERT_EQ(cuGraphDestroy(graph), 0);
  ASSERT_EQ(cuMemGetInfo_v2(&after, &total), 0);
  EXPECT_LE(before - after, 8192u) << "the captured graph's own is still there";
  EXPECT_EQ(cuMemcpyDtoH_v2(&p, params.address, 1), 1);
  graph = nullptr;
}

TEST_F(Graphs, AGenericNodeIsAnyOfThem) {
  void *made = nullptr;
  GraphNodeParams any{};
  any.type = 0;
  int v = 6;
  any.kernel = node(add, v);
  ASSERT_EQ(cuGraphAddNode(&made, graph, nullptr, 0, &any), 0);
  any = {};
  any.type = 13;
  EXPECT_EQ(cuGraphAddNode(&made, graph, nullptr, 0, &any), 801) << "conditional nodes";
  any.type = 99;
  EXPECT_EQ(cuGraphAddNode(&made, graph, nullptr, 0, &any), 1);
  ASSERT_EQ(cuGraphLaunch(instantiate(graph), stream), 0);
  EXPECT_EQ(value(), 6);
}

TEST_F(Graphs, UserObjectsDieWithTheLastGraphThatKeepsThem) {
  int deaths = 0;
  void *object = nullptr;
  auto dies = [](void *count) { ++*static_cast<int *>(count); };
  ASSERT_EQ(cuUserObjectCreate(&object, &deaths, dies, 1, 1), 0);
  ASSERT_EQ(cuGraphRetainUserObject(graph, object, 1, 1), 0) << "the graph takes the reference over";
  void *exec = instantiate(graph);
  ASSERT_EQ(cuGraphDestroy(graph), 0);
  EXPECT_EQ(deaths, 0);
  ASSERT_EQ(cuGraphExecDestroy(exec), 0);
  EXPECT_EQ(deaths, 1);
  graph = nullptr;
}

TEST_F(Graphs, HostFunctionsMayWaitForThreadsThatCallTheDriver) {
  struct Shared {
    void *context;
    bool done = false;
  } shared{context};
  auto wait = [](void *data) {
    auto &s = *static_cast<Shared *>(data);
    std::thread([&] {
      CUdeviceptr p = 0;
      s.done = cuCtxSetCurrent(s.context) == 0 && cuMemAlloc_v2(&p, 4096) == 0 && cuMemFree_v2(p) == 0;
    }).join();
  };
  ASSERT_EQ(cuLaunchHostFunc(stream, wait, &shared), 0);
  EXPECT_TRUE(shared.done);
}

} // namespace
