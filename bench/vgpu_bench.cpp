// How fast the virtual GPU executes, checker and counters on: thread-instructions, mma and a whole GEMM a second.
// Usage: vgpu_bench (from the repository's root; TESSERA_VGPU_THREADS=1 for one core).
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" {
typedef unsigned long long CUdeviceptr;
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxSetCurrent(void *);
int cuModuleLoadData(void **, const void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuMemAlloc_v2(CUdeviceptr *, size_t);
int cuMemsetD32Async(CUdeviceptr, unsigned, size_t, void *);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                   void **);
const char *tesseraVgpuReport();
}

namespace {

const bool oneWorker = std::getenv("TESSERA_VGPU_THREADS") && std::atoi(std::getenv("TESSERA_VGPU_THREADS")) == 1;

void check(int result, const char *what) {
  if (result == 0)
    return;
  std::fprintf(stderr, "%s: error %d\n", what, result);
  std::exit(1);
}

void *load(const char *path, const char *name) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (text.empty()) {
    std::fprintf(stderr, "%s cannot be read: run this from the repository's root\n", path);
    std::exit(1);
  }
  void *module = nullptr, *function = nullptr;
  check(cuModuleLoadData(&module, text.c_str()), path);
  check(cuModuleGetFunction(&function, module, name), name);
  return function;
}

// Seconds of the fastest of three launches; with one worker, of processor time, so that neighbours do not count.
double seconds(void *f, const unsigned (&shape)[4], void **params) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    auto start = std::chrono::steady_clock::now();
    std::clock_t busy = std::clock();
    check(cuLaunchKernel(f, shape[0], shape[1], 1, shape[2], 1, 1, shape[3], nullptr, params, nullptr),
          "cuLaunchKernel");
    double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, oneWorker ? double(std::clock() - busy) / CLOCKS_PER_SEC : wall);
  }
  return best;
}

// The number before `word` in the last launch's report.
double figure(const char *word) {
  std::string report = tesseraVgpuReport();
  size_t end = report.find(word);
  size_t begin = end;
  while (begin > 0 && (report[begin - 1] == ' ' || (report[begin - 1] >= '0' && report[begin - 1] <= '9')))
    --begin;
  return end == report.npos ? 0 : std::strtod(report.c_str() + begin, nullptr);
}
} // namespace

int main() {
  setenv("TESSERA_VGPU", "a100", 0);
  check(cuInit(0), "cuInit");
  void *context = nullptr;
  check(cuDevicePrimaryCtxRetain(&context, 0), "cuDevicePrimaryCtxRetain");
  check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
  CUdeviceptr x = 0, a = 0, b = 0, c = 0;
  size_t n = 1024;
  check(cuMemAlloc_v2(&x, 64 << 10), "cuMemAlloc");
  for (CUdeviceptr *p : {&a, &b, &c})
    check(cuMemAlloc_v2(p, n * n * 4), "cuMemAlloc");
  check(cuMemsetD32Async(x, 0, 16 << 10, nullptr), "cuMemset");
  check(cuMemsetD32Async(a, 0x3f803f80, n * n / 2, nullptr), "cuMemset");
  check(cuMemsetD32Async(b, 0x3f803f80, n * n / 2, nullptr), "cuMemset");

  const char *speed = "tests/vgpu/kernels/speed.sm_80.ptx";
  int rounds = 400;
  void *mixParams[] = {&x, &rounds};
  double t = seconds(load(speed, "mix"), {16, 1, 256, 0}, mixParams);
  std::printf("ALU, FMA, shared loads and stores  %8.1f M thread-instructions/s\n",
              figure(" warp instructions") * 32 / t / 1e6);
  t = seconds(load(speed, "tensor"), {16, 1, 32, 0}, mixParams);
  std::printf("mma.m16n8k16                       %8.2f M/s\n", 16.0 * 4 * rounds / t / 1e6);
  void *gemm = load("tests/vgpu/kernels/matrix.sm_80.ptx", "gemm4");
  check(cuFuncSetAttribute(gemm, 8, 4 * (64 * 40 + 32 * 72) * 2), "cuFuncSetAttribute");
  int N = int(n), K = int(n);
  void *gemmParams[] = {&a, &b, &c, &N, &K};
  t = seconds(gemm, {16, 16, 128, 4 * (64 * 40 + 32 * 72) * 2}, gemmParams);
  std::printf("GEMM 1024^3 bf16                   %8.2f s\n", t);
  return 0;
}
