// Tensor-core kernels that nvcc compiled, on values that every summation order gives exactly (small whole numbers), and
// on random ones within a bound that grows with K.
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cmath>
#include <random>

namespace {

uint16_t brain(float f) {
  return uint16_t((std::bit_cast<uint32_t>(f) + 0x7fff + (std::bit_cast<uint32_t>(f) >> 16 & 1)) >> 16);
}
float unbrain(uint16_t b) { return std::bit_cast<float>(uint32_t(b) << 16); }

std::vector<int> smallIntegers(size_t n, unsigned seed, int limit = 3) {
  std::mt19937 generator(seed);
  std::vector<int> v(n);
  for (int &x : v)
    x = int(generator() % unsigned(2 * limit + 1)) - limit;
  return v;
}
template <class T, class F> std::vector<T> as(const std::vector<int> &v, F f) {
  std::vector<T> out;
  for (int x : v)
    out.push_back(T(f(float(x))));
  return out;
}
// C[m, n] = A[m, k] * B[n, k]^T
std::vector<double> product(const std::vector<int> &a, const std::vector<int> &b, int m, int n, int k) {
  std::vector<double> c(size_t(m * n));
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j)
      for (int l = 0; l < k; ++l)
        c[size_t(i * n + j)] += a[size_t(i * k + l)] * b[size_t(j * k + l)];
  return c;
}

class Matrix : public VirtualGpu {
protected:
  void SetUp() override {
    VirtualGpu::SetUp();
    module = load("matrix");
  }
  template <class In, class Acc, class F> void wmma(const char *name, F convert, int limit = 3) {
    int m = 32, n = 48, k = 64;
    auto a = smallIntegers(size_t(m * k), 1, limit), b = smallIntegers(size_t(n * k), 2, limit);
    auto da = upload(as<In>(a, convert)), db = upload(as<In>(b, convert)), dc = zeros<Acc>(size_t(m * n));
    ASSERT_EQ(launch(function(module, name), {unsigned(n / 16), unsigned(m / 16)}, {32}, 0, da, db, dc, n, k), 0)
        << findings();
    auto got = download<Acc>(dc, size_t(m * n));
    auto want = product(a, b, m, n, k);
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(double(got[i]), want[i]) << name << " element " << i;
  }
  void *module = nullptr;
};

TEST_F(Matrix, WmmaHalf) {
  wmma<_Float16, float>("wmmaHalf", [](float f) { return f; });
}
TEST_F(Matrix, WmmaInt8) {
  wmma<int8_t, int>("wmmaInt8", [](float f) { return f; }, 127);
}
TEST_F(Matrix, WmmaBrain) {
  if (arch < 80)
    GTEST_SKIP() << "bf16 needs sm_80";
  wmma<uint16_t, float>("wmmaBrain", brain);
}
TEST_F(Matrix, WmmaTf32) {
  if (arch < 80)
    GTEST_SKIP() << "tf32 needs sm_80";
  wmma<float, float>("wmmaTf32", [](float f) { return f; });
}

TEST_F(Matrix, TuringMmaAndLdmatrix) {
  int k = 40;
  auto a = smallIntegers(size_t(16 * k), 3), b = smallIntegers(size_t(8 * k), 4);
  auto id = [](float f) { return f; };
  auto da = upload(as<_Float16>(a, id)), db = upload(as<_Float16>(b, id)), dc = zeros<float>(128);
  ASSERT_EQ(launch(function(module, "mmaTuring"), {1}, {32}, 0, da, db, dc, k), 0) << findings();
  auto got = download<float>(dc, 128);
  auto want = product(a, b, 16, 8, k);
  for (size_t i = 0; i < 128; ++i)
    ASSERT_EQ(double(got[i]), want[i]) << i;
}

TEST_F(Matrix, GemmWithAsyncCopies) {
  if (arch < 80)
    GTEST_SKIP() << "cp.async needs sm_80";
  int M = 128, N = 128, K = 160;
  std::mt19937 generator(5);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<uint16_t> a(size_t(M * K)), b(size_t(K * N));
  for (auto *v : {&a, &b})
    for (uint16_t &x : *v)
      x = brain(distribution(generator));
  auto da = upload(a), db = upload(b);
  for (int stages : {2, 3, 4}) {
    auto dc = zeros<float>(size_t(M * N));
    unsigned shared = unsigned(stages) * (64 * 40 + 32 * 72) * 2;
    ASSERT_EQ(launch(function(module, "gemm" + std::to_string(stages)), {unsigned(N / 64), unsigned(M / 64)}, {128},
                     shared, da, db, dc, N, K),
              0)
        << findings();
    auto got = download<float>(dc, size_t(M * N));
    for (int i = 0; i < M; ++i)
      for (int j = 0; j < N; ++j) {
        double want = 0;
        for (int k = 0; k < K; ++k)
          want += double(unbrain(a[size_t(i * K + k)])) * unbrain(b[size_t(k * N + j)]);
        ASSERT_NEAR(got[size_t(i * N + j)], want, 1e-6 * K) << stages << " stages, " << i << " " << j;
      }
  }
}

TEST_F(Matrix, ReportsAMissingWait) {
  if (arch < 80)
    GTEST_SKIP() << "cp.async needs sm_80";
  auto x = zeros<float>(128), out = zeros<float>(128);
  EXPECT_EQ(launch(function(module, "missingWait"), {1}, {128}, 0, x, out), 719);
  EXPECT_NE(findings().find("missing wait"), std::string::npos) << findings();
}

TEST_F(Matrix, RefusesWhatTheChipLacks) {
  if (arch >= 80)
    GTEST_SKIP() << "for sm_75";
  std::string text = ".version 8.0\n.target sm_75\n.address_size 64\n.visible .entry k()\n{\n.reg .b32 %r<3>;\n"
                     "redux.sync.add.s32 %r1, %r2, -1;\nret;\n}\n";
  void *module = nullptr;
  char log[256] = "";
  int options[] = {5, 6};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  EXPECT_EQ(cuModuleLoadDataEx(&module, text.c_str(), 2, options, values), 218);
  EXPECT_STREQ(log, "line 7: redux.sync: needs sm_80 or newer, the chip is sm_75");
}

} // namespace
