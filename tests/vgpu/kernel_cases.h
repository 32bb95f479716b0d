// Kernels made by nvcc with data to run them on, for tests that run all of them: the PTX, the kernel, its launch.
#pragma once
#include "tests/vgpu/cuda_api.h"
#include <functional>
#include <optional>
#include <sstream>

// The output words of a launch, or nothing when it was reported.
using Outcome = std::optional<std::vector<uint32_t>>;

struct KernelCase {
  std::string file, kernel; // tests/vgpu/kernels/FILE.ptx
  std::function<Outcome(void *function)> run;
};

struct alignas(64) TensorMapBytes {
  char bytes[128];
};

// Allocations and launches in the context of device 0; a new context for each case, so that one fault spoils no other.
class CaseRunner {
public:
  std::vector<KernelCase> cases();
  // Runs the case with this text in the place of its PTX; `loaded` says whether the driver accepted it.
  Outcome attempt(const KernelCase &c, const std::string &text, bool *loaded = nullptr);
  static std::string textOf(const KernelCase &c);

private:
  template <class T> CUdeviceptr upload(const std::vector<T> &values) {
    CUdeviceptr p = 0;
    EXPECT_EQ(cuMemAlloc_v2(&p, values.size() * sizeof(T)), 0);
    EXPECT_EQ(cuMemcpyHtoD_v2(p, values.data(), values.size() * sizeof(T)), 0);
    return p;
  }
  template <class T> CUdeviceptr zeros(size_t count) { return upload(std::vector<T>(count)); }
  CUdeviceptr floats(size_t n);
  CUdeviceptr whole(size_t n);  // i32 and bytes: all bits vary
  CUdeviceptr brains(size_t n); // bf16 small enough for exact sums
  TensorMapBytes map2d(CUdeviceptr p, int type, uint64_t columns, uint64_t rows, uint32_t boxColumns, uint32_t boxRows,
                       int swizzle);
  template <class... Args>
  Outcome output(void *f, Dim grid, Dim block, unsigned shared, CUdeviceptr out, size_t words, Args... args) {
    if (shared > 49152)
      cuFuncSetAttribute(f, 8, int(shared));
    void *params[] = {static_cast<void *>(&args)..., nullptr};
    if (cuLaunchKernel(f, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared, nullptr, params, nullptr) != 0)
      return std::nullopt;
    std::vector<uint32_t> values(words);
    EXPECT_EQ(cuMemcpyDtoH_v2(values.data(), out, words * 4), 0);
    return values;
  }
};
