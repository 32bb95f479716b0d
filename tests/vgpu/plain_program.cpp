// A CUDA driver program as anybody would write it: no header but cuda.h, linked with -lcuda.
#include <cstdio>
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
  for (int i = 0; i < n; ++i)
    if (y[i] != 3 * x[i] + 1) {
      std::printf("y[%d] = %g\n", i, double(y[i]));
      return 1;
    }
  std::printf("%s: all %d values are right\n", name, n);
  return 0;
}
