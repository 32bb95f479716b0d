// Kernels as other compilers write them: Triton, LLVM's NVPTX back end, NVRTC (tests/vgpu/kernels/others/README.md).
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cmath>

namespace {

class Compilers : public VirtualGpu {
protected:
  void *kernel(const std::string &file, const char *name) {
    std::ifstream in("tests/vgpu/kernels/others/" + file + ".ptx");
    EXPECT_TRUE(in) << file;
    return function(loadText({std::istreambuf_iterator<char>(in), {}}), name);
  }
  std::string triton() const { return arch == 90 ? "sm_90a" : "sm_80"; }
};

uint16_t brain(float f) {
  return uint16_t((std::bit_cast<uint32_t>(f) + 0x7fff + (std::bit_cast<uint32_t>(f) >> 16 & 1)) >> 16);
}
float unbrain(uint16_t b) { return std::bit_cast<float>(uint32_t(b) << 16); }

TEST_F(Compilers, TritonSoftmax) {
  if (arch < 80)
    GTEST_SKIP() << "compiled for sm_80";
  const int rows = 5, n = 200;
  std::vector<uint16_t> x(rows * n);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = brain(float(i * 37 % 101) * 0.1f - 5);
  auto dx = upload(x), dy = zeros<uint16_t>(x.size());
  CUdeviceptr none = 0;
  void *f = kernel("triton_softmax." + triton(), "rowwise_softmax");
  ASSERT_EQ(launch(f, {rows}, {128}, 16, dx, dy, n, none, none), 0) << findings();
  auto got = download<uint16_t>(dy, x.size());
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (size_t c = 0; c < n; ++c)
      sum += std::exp(double(unbrain(x[r * n + c])));
    for (size_t c = 0; c < n; ++c) {
      double want = std::exp(double(unbrain(x[r * n + c]))) / sum;
      ASSERT_NEAR(unbrain(got[r * n + c]), want, want * 0x1p-8) << r << " " << c; // half a step of bf16
    }
  }
}

TEST_F(Compilers, TritonProduct) {
  if (arch < 80)
    GTEST_SKIP() << "compiled for sm_80";
  const int M = 128, N = 64, K = 96;
  std::vector<uint16_t> a(M * K), b(K * N);
  std::vector<int> ia(a.size()), ib(b.size());
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = brain(float(ia[i] = int(i * 31 % 7) - 3));
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = brain(float(ib[i] = int(i * 17 % 5) - 2));
  auto da = upload(a), db = upload(b), dc = zeros<float>(M * N);
  CUdeviceptr none = 0;
  void *f = kernel("triton_product." + triton(), "tile_product");
  ASSERT_EQ(launch(f, {M / 64, N / 64}, {128}, 16384, da, db, dc, M, N, K, none, none), 0) << findings();
  auto got = download<float>(dc, M * N);
  for (size_t i = 0; i < M; ++i)
    for (size_t j = 0; j < N; ++j) {
      int want = 0;
      for (size_t k = 0; k < K; ++k)
        want += ia[i * K + k] * ib[k * N + j];
      ASSERT_EQ(got[i * N + j], float(want)) << i << " " << j;
    }
}

TEST_F(Compilers, LlvmReduction) {
  const int blocks = 4, n = 300;
  std::vector<_Float16> x(blocks * n);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = _Float16(float(i % 9) - 4);
  auto dx = upload(x), out = zeros<float>(blocks);
  ASSERT_EQ(launch(kernel(arch >= 90 ? "llvm_reduce.sm_90" : "llvm_reduce.sm_75", "sumOfSquares"), {blocks}, {128}, 0,
                   dx, out, n),
            0)
      << findings();
  auto got = download<float>(out, blocks);
  for (int b = 0; b < blocks; ++b) {
    float sum = 0;
    for (int i = 0; i < n; ++i)
      sum += float(x[size_t(b * n + i)]) * float(x[size_t(b * n + i)]);
    EXPECT_EQ(got[size_t(b)], b % 3 == 1 ? 2 * sum : b % 3 == 2 ? -sum : sum) << b;
  }
}

TEST_F(Compilers, NvrtcRotation) {
  const int n = 200;
  std::vector<float> x(2 * n);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float(i) - 100;
  auto dx = upload(x), dy = zeros<float>(x.size());
  float angle = 0.7f;
  std::string file = arch >= 90 ? "nvrtc_rotate.sm_90" : arch >= 80 ? "nvrtc_rotate.sm_80" : "nvrtc_rotate.sm_75";
  ASSERT_EQ(launch(kernel(file, "rotate"), {2}, {128}, 0, dx, dy, angle, n), 0) << findings();
  auto got = download<float>(dy, x.size());
  for (size_t i = 0; i < n; ++i) {
    double c = std::cos(0.7), s = std::sin(0.7);
    ASSERT_NEAR(got[2 * i], c * x[2 * i] - s * x[2 * i + 1], 1e-4) << i;
    ASSERT_NEAR(got[2 * i + 1], s * x[2 * i] + c * x[2 * i + 1], 1e-4) << i;
  }
}

} // namespace
