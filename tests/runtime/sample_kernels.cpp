// Kernels with the CPU entry point of base/artifact.h, as an object to be linked at run time.
#include <cstdint>
#include <cstring>

// C [M, N] = A [M, K] . B [K, N] + bias; one program a row. args: M K N | A B C bias
extern "C" void sampleGemm(const int64_t *args, int64_t begin, int64_t end) {
  int64_t K = args[1], N = args[2];
  auto A = reinterpret_cast<const float *>(args[3]), B = reinterpret_cast<const float *>(args[4]);
  auto C = reinterpret_cast<float *>(args[5]);
  float bias;
  std::memcpy(&bias, &args[6], 4);
  for (int64_t m = begin; m < end; ++m)
    for (int64_t n = 0; n < N; ++n) {
      float sum = bias;
      for (int64_t k = 0; k < K; ++k)
        sum += A[m * K + k] * B[k * N + n];
      C[m * N + n] = sum;
    }
}

// x [N] = 0 through a library call, as code generation may emit one; one program an element. args: N | x
extern "C" void sampleClear(const int64_t *args, int64_t begin, int64_t end) {
  std::memset(reinterpret_cast<void *>(args[1] + begin * 4), 0, size_t(end - begin) * 4);
}
