// The CUDA driver entry points that the tests call, as any program would declare them, and helpers around them.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

extern "C" {
typedef unsigned long long CUdeviceptr;
int cuInit(unsigned);
int cuDeviceGet(int *, int);
int cuDeviceGetCount(int *);
int cuDeviceGetName(char *, int, int);
int cuDeviceGetAttribute(int *, int, int);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxReset_v2(int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void *);
int cuCtxSynchronize();
int cuModuleLoadData(void **, const void *);
int cuModuleLoadDataEx(void **, const void *, unsigned, int *, void **);
int cuModuleUnload(void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuModuleGetGlobal_v2(CUdeviceptr *, size_t *, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuFuncGetAttribute(int *, int, void *);
int cuMemAlloc_v2(CUdeviceptr *, size_t);
int cuMemFree_v2(CUdeviceptr);
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemcpyHtoD_v2(CUdeviceptr, const void *, size_t);
int cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
int cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, size_t, void *);
int cuMemcpyPeer(CUdeviceptr, void *, CUdeviceptr, void *, size_t);
int cuMemsetD8_v2(CUdeviceptr, unsigned char, size_t);
int cuMemsetD32Async(CUdeviceptr, unsigned, size_t, void *);
int cuStreamCreate(void **, unsigned);
int cuStreamDestroy_v2(void *);
int cuStreamSynchronize(void *);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuStreamBeginCapture_v2(void *, int);
int cuStreamEndCapture(void *, void **);
int cuEventCreate(void **, unsigned);
int cuEventDestroy_v2(void *);
int cuEventRecord(void *, void *);
int cuEventElapsedTime(float *, void *, void *);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
int cuGraphLaunch(void *, void *);
int cuGraphExecDestroy(void *);
int cuGraphDestroy(void *);
int cuGraphGetNodes(void *, void **, size_t *);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                   void **);
int cuLaunchCooperativeKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
                              void **);
int cuGetErrorName(int, const char **);
int cuGetProcAddress_v2(const char *, void **, int, uint64_t, int *);
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *, void *, int, size_t);
int cuTensorMapEncodeTiled(void *, int, unsigned, void *, const uint64_t *, const uint64_t *, const uint32_t *,
                           const uint32_t *, int, int, int, int);
const char *tesseraVgpuFindings();
const char *tesseraVgpuReport();
int tesseraVgpuSchedule(uint64_t);
}

struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

// A context of device 0 for each test; a failed kernel spoils only its own.
class VirtualGpu : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(cuInit(0), 0);
    ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, 0), 0);
    ASSERT_EQ(cuCtxSetCurrent(context), 0);
    int major = 0, minor = 0;
    cuDeviceGetAttribute(&major, 75, 0);
    cuDeviceGetAttribute(&minor, 76, 0);
    arch = major * 10 + minor;
  }
  void TearDown() override {
    cuDevicePrimaryCtxReset_v2(0);
    cuCtxSetCurrent(nullptr);
  }

  // The checked-in PTX of a .cu for the newest target that this chip takes.
  void *load(const std::string &name) {
    for (const char *target : {"sm_90a", "sm_89", "sm_86", "sm_80", "sm_75"}) {
      int needs = std::atoi(target + 3);
      if (needs > arch || (needs == 90 && arch != 90))
        continue;
      std::ifstream file("tests/vgpu/kernels/" + name + "." + target + ".ptx");
      if (!file)
        continue;
      std::string text((std::istreambuf_iterator<char>(file)), {});
      return loadText(text);
    }
    ADD_FAILURE() << "no PTX of " << name << " for sm_" << arch;
    return nullptr;
  }
  void *loadText(const std::string &text) {
    void *module = nullptr;
    char log[1024] = "";
    int options[] = {5, 6};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    EXPECT_EQ(cuModuleLoadDataEx(&module, text.c_str(), 2, options, values), 0) << log;
    return module;
  }
  void *function(void *module, const std::string &name) {
    void *f = nullptr;
    EXPECT_EQ(cuModuleGetFunction(&f, module, name.c_str()), 0) << name;
    return f;
  }
  template <class T> CUdeviceptr upload(const std::vector<T> &values) {
    CUdeviceptr p = 0;
    EXPECT_EQ(cuMemAlloc_v2(&p, values.size() * sizeof(T)), 0);
    EXPECT_EQ(cuMemcpyHtoD_v2(p, values.data(), values.size() * sizeof(T)), 0);
    return p;
  }
  template <class T> CUdeviceptr zeros(size_t count) { return upload(std::vector<T>(count)); }
  template <class T> std::vector<T> download(CUdeviceptr p, size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(cuMemcpyDtoH_v2(values.data(), p, count * sizeof(T)), 0);
    return values;
  }
  template <class... Args> int launch(void *f, Dim grid, Dim block, unsigned shared, Args... args) {
    void *params[] = {static_cast<void *>(&args)..., nullptr};
    return cuLaunchKernel(f, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared, nullptr, params, nullptr);
  }
  std::string findings() const { return tesseraVgpuFindings(); }

  void *context = nullptr;
  int arch = 0;
};
