// Prints what several kernels wrote (a hash) and the driver's report of each: the same for every number of host threads
// and in every run (repeatable.sh compares).
#include "tests/vgpu/cuda_api.h"
#include <cstdio>

extern "C" size_t tesseraVgpuLastReport(int, char *, size_t);

namespace {
void *moduleOf(const char *path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  void *module = nullptr;
  if (cuModuleLoadData(&module, text.c_str()))
    std::exit(1);
  return module;
}

// Launches, and prints the hash of `bytes` at `out` and the report.
template <class... Args>
void show(void *module, const char *name, Dim grid, Dim block, unsigned shared, CUdeviceptr out, size_t bytes,
          Args... args) {
  void *f = nullptr, *params[] = {static_cast<void *>(&args)..., nullptr};
  if (cuModuleGetFunction(&f, module, name) || (shared && cuFuncSetAttribute(f, 8, int(shared))))
    std::exit(1);
  const int code =
      cuLaunchKernel(f, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared, nullptr, params, nullptr);
  std::vector<unsigned char> got(bytes);
  cuMemcpyDtoH_v2(got.data(), out, bytes);
  uint64_t hash = 14695981039346656037ull;
  for (unsigned char byte : got)
    hash = (hash ^ byte) * 1099511628211ull;
  std::string report(tesseraVgpuLastReport(0, nullptr, 0), '\0');
  tesseraVgpuLastReport(0, report.data(), report.size() + 1);
  std::printf("%s: %d %016llx\n%s\n", name, code, static_cast<unsigned long long>(hash), report.c_str());
}

template <class T> CUdeviceptr filled(size_t count, T (*value)(size_t)) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = value(i);
  CUdeviceptr p = 0;
  if (cuMemAlloc_v2(&p, count * sizeof(T)) || cuMemcpyHtoD_v2(p, values.data(), count * sizeof(T)))
    std::exit(1);
  return p;
}
} // namespace

int main() {
  void *context = nullptr;
  if (cuInit(0) || cuDevicePrimaryCtxRetain(&context, 0) || cuCtxSetCurrent(context))
    return 1;
  void *speed = moduleOf("tests/vgpu/kernels/speed.sm_80.ptx"),
       *matrix = moduleOf("tests/vgpu/kernels/matrix.sm_80.ptx"),
       *basics = moduleOf("tests/vgpu/kernels/basics.sm_80.ptx");
  auto floats = [](size_t i) { return 0.1f + float(i * 2654435761u >> 20) / 4096; };
  CUdeviceptr x = filled<float>(1 << 16, floats), y = filled<float>(1 << 16, floats),
              z = filled<float>(1 << 16, floats);
  CUdeviceptr bytes = filled<unsigned char>(1 << 14, [](size_t i) { return (unsigned char)(i * i >> 3); });
  show(speed, "mix", {24}, {256}, 0, x, 24 << 10, x, 40);
  show(matrix, "gemm4", {4, 4}, {128}, 4 * (64 * 40 + 32 * 72) * 2, z, 1 << 18, x, y, z, 256, 256);
  show(basics, "sgemm", {8, 8}, {16, 16}, 0, z, 128 << 10, x, y, z, 128, 128, 128);
  show(basics, "transposeConflicts", {4, 4}, {32, 8}, 0, z, 128 << 9, x, z, 128);
  // Atomics on floats round by their order.
  show(basics, "histogram", {16}, {256}, 0, y, 4, bytes, z, y, 1 << 14);
  return 0;
}
