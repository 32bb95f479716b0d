// A CUDA driver program as anybody would write it: no header but cuda.h, linked with -lcuda.
#include <cstdio>
#include <cstdlib>
#include <cuda.h>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

static void check(CUresult result, const char *what) {
  if (result == CUDA_SUCCESS)
    return;
  const char *name = nullptr;
  cuGetErrorName(result, &name);
  std::printf("%s failed: %s\n", what, name ? name : "?");
  std::exit(1);
}

template <class F> static void expect(const std::vector<float> &got, F &&want) {
  for (int i = 0; i < int(got.size()); ++i)
    if (got[i] != want(i)) {
      std::printf("value %d is %g, not %g\n", i, double(got[i]), double(want(i)));
      std::exit(1);
    }
}

static std::vector<float> read(CUdeviceptr from, int n) {
  std::vector<float> values(n);
  check(cuMemcpyDtoH(values.data(), from, n * sizeof(float)), "cuMemcpyDtoH");
  return values;
}

// y += 3x twice by a captured graph and y += 4x by its update; y += x by a graph made node by node.
static void graphs(CUfunction saxpy, CUstream stream, CUdeviceptr x, CUdeviceptr y, int n) {
  CUgraph graph;
  CUgraphExec exec;
  CUgraphNode set, kernel, nodes[8];
  size_t count = 8;
  float a = 3;
  void *params[] = {&a, &x, &y, &n};
  check(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), "cuStreamBeginCapture");
  check(cuLaunchKernel(saxpy, 4, 1, 1, 256, 1, 1, 0, stream, params, nullptr), "cuLaunchKernel");
  check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
  check(cuGraphInstantiate(&exec, graph, 0), "cuGraphInstantiate");
  for (int i = 0; i < 2; ++i)
    check(cuGraphLaunch(exec, stream), "cuGraphLaunch");
  check(cuGraphGetNodes(graph, nodes, &count), "cuGraphGetNodes");
  CUDA_KERNEL_NODE_PARAMS shape = {};
  check(cuGraphKernelNodeGetParams(nodes[0], &shape), "cuGraphKernelNodeGetParams");
  a = 4;
  shape.kernelParams = params;
  check(cuGraphExecKernelNodeSetParams(exec, nodes[0], &shape), "cuGraphExecKernelNodeSetParams");
  check(cuGraphLaunch(exec, stream), "cuGraphLaunch");
  check(cuGraphExecDestroy(exec), "cuGraphExecDestroy");
  check(cuGraphDestroy(graph), "cuGraphDestroy");

  // tmp = 0; tmp += 1x; and after both: y += 1 tmp.
  CUdeviceptr tmp;
  check(cuMemAlloc(&tmp, n * sizeof(float)), "cuMemAlloc");
  check(cuGraphCreate(&graph, 0), "cuGraphCreate");
  CUDA_MEMSET_NODE_PARAMS zeros = {tmp, 0, 0, 4, size_t(n), 1};
  CUcontext context;
  check(cuCtxGetCurrent(&context), "cuCtxGetCurrent");
  check(cuGraphAddMemsetNode(&set, graph, nullptr, 0, &zeros, context), "cuGraphAddMemsetNode");
  a = 1;
  void *first[] = {&a, &x, &tmp, &n}, *second[] = {&a, &tmp, &y, &n};
  shape.kernelParams = first;
  check(cuGraphAddKernelNode(&kernel, graph, &set, 1, &shape), "cuGraphAddKernelNode");
  shape.kernelParams = second;
  check(cuGraphAddKernelNode(&nodes[0], graph, &kernel, 1, &shape), "cuGraphAddKernelNode");
  check(cuGraphInstantiate(&exec, graph, 0), "cuGraphInstantiate");
  check(cuGraphLaunch(exec, stream), "cuGraphLaunch");
  check(cuStreamSynchronize(stream), "cuStreamSynchronize");
  check(cuGraphExecDestroy(exec), "cuGraphExecDestroy");
  check(cuGraphDestroy(graph), "cuGraphDestroy");
  check(cuMemFree(tmp), "cuMemFree");
}

// Copies to another device, adds there, and copies back.
static void peer(const std::string &ptx, int other, CUcontext here, CUdeviceptr from,
                 const std::vector<float> &values) {
  CUdevice device;
  CUcontext there;
  CUmodule module;
  CUfunction saxpy;
  CUdeviceptr x, y;
  int n = int(values.size());
  float a = 1;
  check(cuDeviceGet(&device, other), "cuDeviceGet");
  check(cuDevicePrimaryCtxRetain(&there, device), "cuDevicePrimaryCtxRetain");
  check(cuCtxPushCurrent(there), "cuCtxPushCurrent");
  check(cuModuleLoadData(&module, ptx.c_str()), "cuModuleLoadData");
  check(cuModuleGetFunction(&saxpy, module, "saxpy"), "cuModuleGetFunction");
  check(cuMemAlloc(&y, n * sizeof(float)), "cuMemAlloc");
  check(cuMemcpyPeer(y, there, from, here, n * sizeof(float)), "cuMemcpyPeer");
  check(cuCtxEnablePeerAccess(here, 0), "cuCtxEnablePeerAccess");
  x = from; // read where it lies, on the first device
  void *params[] = {&a, &x, &y, &n};
  check(cuLaunchKernel(saxpy, 4, 1, 1, 256, 1, 1, 0, nullptr, params, nullptr), "cuLaunchKernel");
  check(cuCtxSynchronize(), "cuCtxSynchronize");
  expect(read(y, n), [&](int i) { return 2 * values[i]; });
  check(cuCtxPopCurrent(&there), "cuCtxPopCurrent");
  check(cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  std::ifstream file(argv[1]);
  std::string ptx((std::istreambuf_iterator<char>(file)), {});
  CUdevice device;
  CUcontext context;
  CUmodule module;
  CUfunction saxpy;
  CUstream stream;
  check(cuInit(0), "cuInit");
  check(cuDeviceGet(&device, 0), "cuDeviceGet");
  char name[256];
  check(cuDeviceGetName(name, sizeof name, device), "cuDeviceGetName");
  check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
  check(cuModuleLoadData(&module, ptx.c_str()), "cuModuleLoadData");
  check(cuModuleGetFunction(&saxpy, module, "saxpy"), "cuModuleGetFunction");
  check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
  int n = 1000;
  float a = 3;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i)
    x[i] = float(i), y[i] = 1;
  CUdeviceptr dx, dy;
  check(cuMemAlloc(&dx, n * sizeof(float)), "cuMemAlloc");
  check(cuMemAlloc(&dy, n * sizeof(float)), "cuMemAlloc");
  check(cuMemcpyHtoDAsync(dx, x.data(), n * sizeof(float), stream), "cuMemcpyHtoDAsync");
  check(cuMemcpyHtoDAsync(dy, y.data(), n * sizeof(float), stream), "cuMemcpyHtoDAsync");
  void *params[] = {&a, &dx, &dy, &n};
  check(cuLaunchKernel(saxpy, 4, 1, 1, 256, 1, 1, 0, stream, params, nullptr), "cuLaunchKernel");
  check(cuMemcpyDtoHAsync(y.data(), dy, n * sizeof(float), stream), "cuMemcpyDtoHAsync");
  check(cuStreamSynchronize(stream), "cuStreamSynchronize");
  expect(y, [&](int i) { return 3 * x[i] + 1; });
  std::printf("%s: all %d values are right\n", name, n);
  graphs(saxpy, stream, dx, dy, n);
  expect(read(dy, n), [&](int i) { return 3 * x[i] + 1 + 2 * (3 * x[i]) + 5 * x[i]; });
  std::printf("captured, updated and explicit graphs are right\n");
  int devices = 0;
  check(cuDeviceGetCount(&devices), "cuDeviceGetCount");
  for (int other = 1; other < devices; ++other)
    peer(ptx, other, context, dy, read(dy, n));
  std::printf("%d devices copy to each other\n", devices);
  return 0;
}
