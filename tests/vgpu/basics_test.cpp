// Kernels that nvcc compiled, against what plain C++ computes: arithmetic, reductions, divergence, atomics.
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cmath>
#include <numeric>
#include <random>

namespace {

std::vector<float> randomFloats(size_t n, float scale = 4, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-scale, scale);
  std::vector<float> v(n);
  for (float &x : v)
    x = distribution(generator);
  return v;
}

class Basics : public VirtualGpu {
protected:
  void SetUp() override {
    VirtualGpu::SetUp();
    module = load("basics");
  }
  void *kernel(const char *name) { return function(module, name); }
  void *module = nullptr;
};

TEST_F(Basics, SaxpyWithRaggedEnd) {
  const int n = 1000;
  auto x = randomFloats(n), y = randomFloats(n, 4, 2);
  auto dx = upload(x), dy = upload(y);
  ASSERT_EQ(launch(kernel("saxpy"), {4}, {256}, 0, 2.5f, dx, dy, n), 0) << findings();
  auto out = download<float>(dy, n);
  for (int i = 0; i < n; ++i)
    ASSERT_EQ(out[i], std::fma(2.5f, x[i], y[i])) << i;
}

TEST_F(Basics, HalfPairs) {
  const int n = 256;
  std::vector<_Float16> x(2 * n), y(2 * n);
  for (int i = 0; i < 2 * n; ++i) {
    x[i] = _Float16(0.01f * float(i) - 2);
    y[i] = _Float16(1.5f - 0.003f * float(i));
  }
  auto dx = upload(x), dy = upload(y), out = zeros<_Float16>(2 * n);
  ASSERT_EQ(launch(kernel("halves"), {1}, {256}, 0, dx, dy, out, n), 0) << findings();
  auto got = download<_Float16>(out, 2 * n);
  for (int i = 0; i < 2 * n; ++i) {
    auto sum = _Float16(float(x[i]) + float(y[i]));
    auto want = _Float16(float(double(float(x[i])) * float(y[i]) + float(sum)));
    ASSERT_EQ(float(got[i]), float(want)) << i;
  }
}

TEST_F(Basics, BrainPairs) {
  if (arch < 80)
    GTEST_SKIP() << "bf16 needs sm_80";
  const int n = 128;
  auto brain = [](float f) {
    return float(std::bit_cast<float>((std::bit_cast<uint32_t>(f) + 0x7fff + (std::bit_cast<uint32_t>(f) >> 16 & 1)) &
                                      0xffff0000));
  };
  std::vector<uint16_t> x(2 * n), y(2 * n);
  for (int i = 0; i < 2 * n; ++i) {
    x[i] = uint16_t(std::bit_cast<uint32_t>(brain(0.37f * float(i) - 20)) >> 16);
    y[i] = uint16_t(std::bit_cast<uint32_t>(brain(3.0f / float(i + 1))) >> 16);
  }
  auto dx = upload(x), dy = upload(y), out = zeros<uint16_t>(2 * n);
  ASSERT_EQ(launch(kernel("brains"), {1}, {128}, 0, dx, dy, out, n), 0) << findings();
  auto got = download<uint16_t>(out, 2 * n);
  for (int i = 0; i < 2 * n; ++i) {
    auto a = std::bit_cast<float>(uint32_t(x[i]) << 16), b = std::bit_cast<float>(uint32_t(y[i]) << 16);
    float want = brain(float(double(a) * b + brain(a + b)));
    ASSERT_EQ(std::bit_cast<float>(uint32_t(got[i]) << 16), want) << i;
  }
}

TEST_F(Basics, MathFunctions) {
  const int n = 512;
  auto x = randomFloats(n, 8);
  x[0] = 1e5f; // sinf's slow path
  x[1] = 0;
  x[0] = 30;
  auto dx = upload(x), out = zeros<float>(8 * n);
  ASSERT_EQ(launch(kernel("functions"), {2}, {256}, 0, dx, out, n), 0) << findings();
  auto got = download<float>(out, 8 * n);
  for (int i = 0; i < n; ++i) {
    double v = x[i], a = std::fabs(v);
    double want[] = {std::exp(v),
                     std::sin(v),
                     std::log(a + 1),
                     std::tanh(v),
                     std::pow(a + 0.5, 1.7),
                     1 / std::sqrt(a + 1),
                     std::erf(v),
                     std::exp(v) / (1 + std::exp(v))};
    for (int k = 0; k < 8; ++k)
      ASSERT_NEAR(got[k * n + i], want[k], 4e-6 * std::max(1.0, std::fabs(want[k]))) << "function " << k << " of " << v;
  }
}

TEST_F(Basics, Doubles) {
  const int n = 100;
  std::vector<double> x(n);
  for (int i = 0; i < n; ++i)
    x[i] = 0.1 * i - 2;
  auto dx = upload(x), out = zeros<double>(n);
  ASSERT_EQ(launch(kernel("doubles"), {1}, {128}, 0, dx, out, n), 0) << findings();
  auto got = download<double>(out, n);
  for (int i = 0; i < n; ++i) {
    double want = std::sqrt(x[i] * x[i] + 1) / (x[i] + 3) + std::exp(-x[i]);
    ASSERT_NEAR(got[i], want, 1e-14 * std::fabs(want)) << i;
  }
}

TEST_F(Basics, Integers) {
  const int n = 1024;
  std::mt19937 generator(7);
  std::vector<int> x(n);
  std::vector<unsigned> y(n);
  for (int i = 0; i < n; ++i) {
    x[i] = int(generator());
    y[i] = generator();
  }
  auto dx = upload(x), dy = upload(y), out = zeros<long long>(n);
  ASSERT_EQ(launch(kernel("integers"), {4}, {256}, 0, dx, dy, out, n), 0) << findings();
  auto got = download<long long>(out, n);
  for (int i = 0; i < n; ++i) {
    int a = x[i];
    unsigned b = y[i];
    auto mulhi = int((long long)a * int(b) >> 32);
    auto umulhi = unsigned((unsigned long long)unsigned(a) * b >> 32);
    auto r = (unsigned long long)((long long)a * b) + (unsigned long long)(long long)mulhi + umulhi;
    r ^= (unsigned long long)std::popcount(b) << 40;
    r += (unsigned long long)(long long)(int(unsigned(a / int(b % 1000 + 1)) + unsigned(a % int(b % 77 + 1))));
    unsigned reversed = 0;
    for (int k = 0; k < 32; ++k)
      reversed |= (b >> k & 1) << (31 - k);
    unsigned bytes = 0;
    unsigned long long both = (unsigned long long)b << 32 | unsigned(a);
    int selectors[] = {0, 4, 1, 5};
    for (int k = 0; k < 4; ++k)
      bytes |= unsigned(both >> (8 * selectors[k]) & 255) << (8 * k);
    unsigned ffs = a ? unsigned(std::countr_zero(unsigned(a))) + 1 : 0;
    r += unsigned(unsigned(std::countl_zero(b)) * 3 + ffs + reversed + bytes);
    r -= (unsigned long long)b / (unsigned long long)(i + 3);
    unsigned shift = unsigned(i & 31);
    auto funnel = unsigned((((unsigned long long)b << 32 | unsigned(a)) << shift) >> 32);
    auto sad = unsigned(std::llabs((long long)a - int(b))) + 7u;
    r += funnel + sad + (unsigned(a) << (i & 7)) + unsigned(a >> (i & 15));
    int dot = i;
    for (int k = 0; k < 4; ++k)
      dot += int(int8_t(unsigned(a) >> (8 * k))) * int(int8_t(b >> (8 * k)));
    r ^= (unsigned long long)(long long)dot;
    r += unsigned(std::max(a, int(b))) - std::min(b, 12345u);
    ASSERT_EQ((unsigned long long)got[i], r) << i;
  }
}

TEST_F(Basics, ReduceRows) {
  const int rows = 7, columns = 1000;
  auto x = randomFloats(rows * columns);
  auto dx = upload(x), out = zeros<float>(rows);
  ASSERT_EQ(launch(kernel("reduce"), {rows}, {256}, 0, dx, out, columns), 0) << findings();
  auto got = download<float>(out, rows);
  for (int r = 0; r < rows; ++r)
    ASSERT_NEAR(got[r], std::accumulate(&x[r * columns], &x[r * columns] + columns, 0.0), 1e-3) << r;
}

TEST_F(Basics, Scan) {
  std::vector<int> x(2048);
  std::iota(x.begin(), x.end(), -1000);
  auto dx = upload(x), out = zeros<int>(2048);
  ASSERT_EQ(launch(kernel("scan"), {2}, {1024}, 0, dx, out), 0) << findings();
  auto got = download<int>(out, 2048);
  for (int b = 0; b < 2; ++b)
    for (int i = 0, sum = 0; i < 1024; ++i)
      ASSERT_EQ(got[b * 1024 + i], sum += x[b * 1024 + i]) << b << " " << i;
}

TEST_F(Basics, TransposeCountsBankConflicts) {
  const int n = 128;
  auto x = randomFloats(n * n);
  auto dx = upload(x), out = zeros<float>(n * n);
  auto wavefronts = [&](const char *name) {
    EXPECT_EQ(launch(kernel(name), {n / 32, n / 32}, {32, 8}, 0, dx, out, n), 0) << findings();
    auto got = download<float>(out, n * n);
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j)
        EXPECT_EQ(got[j * n + i], x[i * n + j]);
    std::string report = tesseraVgpuReport();
    size_t at = report.find("shared: ");
    return at == report.npos ? 0l : std::strtol(report.c_str() + at + 8, nullptr, 10);
  };
  // A warp stores a row (one wavefront) and loads a column: 32 wavefronts, or one when rows are padded.
  long accesses = n * n / 32;
  EXPECT_EQ(wavefronts("transposeConflicts"), accesses * 33);
  EXPECT_EQ(wavefronts("transposePadded"), accesses * 2);
}

TEST_F(Basics, HistogramAndFloatAtomics) {
  const int n = 10000;
  std::vector<unsigned char> x(n);
  for (int i = 0; i < n; ++i)
    x[i] = (unsigned char)(i * i % 251);
  auto dx = upload(x), bins = zeros<unsigned>(256), sum = zeros<float>(1);
  ASSERT_EQ(launch(kernel("histogram"), {6}, {256}, 0, dx, bins, sum, n), 0) << findings();
  auto got = download<unsigned>(bins, 256);
  std::vector<unsigned> want(256);
  double total = 0;
  for (unsigned char c : x)
    ++want[c], total += c;
  EXPECT_EQ(got, want);
  EXPECT_EQ(download<float>(sum, 1)[0], float(total)); // whole numbers below 2^24 add exactly
}

TEST_F(Basics, TiledGemmWithRaggedEdges) {
  int M = 50, N = 70, K = 45;
  auto a = randomFloats(size_t(M * K)), b = randomFloats(size_t(K * N), 4, 3);
  auto da = upload(a), db = upload(b), dc = zeros<float>(size_t(M * N));
  ASSERT_EQ(launch(kernel("sgemm"), {5, 4}, {16, 16}, 0, da, db, dc, M, N, K), 0) << findings();
  auto got = download<float>(dc, size_t(M * N));
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      double want = 0;
      for (int k = 0; k < K; ++k)
        want += double(a[size_t(i * K + k)]) * b[size_t(k * N + j)];
      ASSERT_NEAR(got[size_t(i * N + j)], want, 2e-3) << i << " " << j;
    }
}

TEST_F(Basics, DivergentLoops) {
  const int n = 300;
  std::vector<int> x(n);
  std::iota(x.begin(), x.end(), 1);
  auto dx = upload(x), out = zeros<int>(n);
  ASSERT_EQ(launch(kernel("collatz"), {3}, {128}, 0, dx, out, n), 0) << findings();
  auto got = download<int>(out, n);
  for (int i = 0; i < n; ++i) {
    long long v = x[i];
    int steps = 0;
    while (v != 1) {
      v = v & 1 ? 3 * v + 1 : v / 2;
      if (++steps > 500)
        break;
    }
    switch (i % 5) {
    case 0:
      steps += 1;
      break;
    case 1:
      steps *= 2;
      break;
    case 2:
      steps -= 3;
      break;
    case 3:
      steps ^= 5;
      break;
    }
    ASSERT_EQ(got[i], steps) << i;
  }
}

TEST_F(Basics, CallsAndLocalMemory) {
  const int n = 64;
  auto x = randomFloats(n);
  auto dx = upload(x), out = zeros<float>(n);
  ASSERT_EQ(launch(kernel("calls"), {1}, {64}, 0, dx, out, n), 0) << findings();
  auto got = download<float>(out, n);
  for (int i = 0; i < n; ++i) {
    float c[4] = {1.0f, x[i], 2.0f, 0.5f};
    c[i & 3] += 1.0f;
    const float *from = i & 1 ? c : c + 1;
    int terms = i & 1 ? 4 : 3;
    double at = i & 1 ? x[i] : x[i] * 2, r = 0;
    for (int k = terms - 1; k >= 0; --k)
      r = r * at + from[k];
    ASSERT_NEAR(got[i], r, 1e-4 * std::max(1.0, std::fabs(r))) << i;
  }
}

TEST_F(Basics, LanesTakeALockInTurn) {
  auto lock = zeros<int>(1), counter = zeros<int>(1);
  ASSERT_EQ(launch(kernel("locked"), {3}, {64}, 0, lock, counter), 0) << findings();
  EXPECT_EQ(download<int>(counter, 1)[0], 192);
}

TEST_F(Basics, ConstantAndGlobalVariables) {
  auto out = zeros<float>(32);
  ASSERT_EQ(launch(kernel("constants"), {2}, {32}, 0, out), 0) << findings();
  auto got = download<float>(out, 32);
  for (int i = 0; i < 32; ++i)
    ASSERT_EQ(got[i], float(1 << (i & 7)));
  CUdeviceptr launches = 0;
  size_t bytes = 0;
  ASSERT_EQ(cuModuleGetGlobal_v2(&launches, &bytes, module, "launches"), 0);
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(download<int>(launches, 1)[0], 7);
}

TEST_F(Basics, WarpCollectives) {
  std::vector<int> x(32);
  for (int i = 0; i < 32; ++i)
    x[i] = (i * 37 + 5) % 101;
  auto dx = upload(x), out = zeros<int>(32);
  ASSERT_EQ(launch(kernel("collectives"), {1}, {32}, 0, dx, out), 0) << findings();
  auto got = download<int>(out, 32);
  int evens = 0, firstEven = -1, largest = 0, sum = 0;
  for (int v : x) {
    evens += v % 2 == 0;
    if (v % 2 == 0 && firstEven < 0)
      firstEven = v;
    largest = std::max(largest, v);
    sum += v;
  }
  for (int i = 0; i < 32; ++i) {
    int same = 0;
    for (int v : x)
      same += v % 4 == x[i] % 4;
    int want = evens + (largest > 90 ? 1000 : 0) + 2000 + (x[i] % 2 == 0 ? firstEven : 0) + same * 10;
    if (arch >= 80)
      want += largest + sum;
    ASSERT_EQ(got[i], want) << i;
  }
}

TEST_F(Basics, Printf) {
  testing::internal::CaptureStdout();
  ASSERT_EQ(launch(kernel("talks"), {1}, {32}, 0, 7), 0) << findings();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "thread 0 of talks: 3.50\nthread 1 of talks: 3.50\n");
}

// The checker: each wrong kernel is reported with its line, and its launch fails.
TEST_F(Basics, ReportsOutOfBounds) {
  auto x = zeros<float>(100);
  EXPECT_EQ(launch(kernel("outOfBounds"), {1}, {128}, 0, x, 3), 700);
  EXPECT_NE(findings().find("out of bounds"), std::string::npos) << findings();
  EXPECT_NE(findings().find("thread (100,0,0)"), std::string::npos) << findings();
  EXPECT_NE(findings().find("kernels/basics.cu:"), std::string::npos) << findings();
  EXPECT_EQ(cuCtxSynchronize(), 700); // sticks to the context
}
TEST_F(Basics, ReportsUseAfterFree) {
  auto x = zeros<float>(128);
  ASSERT_EQ(cuMemFree_v2(x), 0);
  EXPECT_EQ(launch(kernel("outOfBounds"), {1}, {128}, 0, x, 3), 700);
  EXPECT_NE(findings().find("use after free"), std::string::npos) << findings();
}
TEST_F(Basics, ReportsARace) {
  auto x = zeros<float>(256), out = zeros<float>(256);
  EXPECT_EQ(launch(kernel("missingBarrier"), {1}, {256}, 0, x, out), 719);
  EXPECT_NE(findings().find("race"), std::string::npos) << findings();
}
TEST_F(Basics, ReportsUninitialisedShared) {
  auto out = zeros<float>(64);
  EXPECT_EQ(launch(kernel("uninitialised"), {1}, {64}, 0, out), 719);
  EXPECT_NE(findings().find("uninitialised"), std::string::npos) << findings();
}
TEST_F(Basics, ReportsADeadlock) {
  auto out = zeros<int>(64);
  EXPECT_EQ(launch(kernel("divergentBarrier"), {1}, {64}, 0, out), 702);
  EXPECT_NE(findings().find("waits for barrier 2"), std::string::npos) << findings();
}
TEST_F(Basics, ReportsMisaligned) {
  auto x = zeros<char>(64);
  EXPECT_EQ(launch(kernel("misaligned"), {1}, {32}, 0, x), 716);
  EXPECT_NE(findings().find("not a multiple of 4"), std::string::npos) << findings();
}

class Cooperative : public VirtualGpu {};

TEST_F(Cooperative, GridSync) {
  void *f = function(load("cooperative"), "gridSum");
  const int n = 5000;
  std::vector<int> x(n, 3);
  auto dx = upload(x), partial = zeros<int>(8), out = zeros<int>(1);
  CUdeviceptr a = dx, b = partial, c = out;
  int count = n;
  void *params[] = {&a, &b, &c, &count};
  ASSERT_EQ(cuLaunchCooperativeKernel(f, 8, 1, 1, 128, 1, 1, 0, nullptr, params), 0) << findings();
  EXPECT_EQ(download<int>(out, 1)[0], 15000);
}

TEST_F(Cooperative, ProducerAndConsumers) {
  void *f = function(load("cooperative"), "producerConsumer");
  const int tiles = 9;
  auto x = randomFloats(tiles * 128);
  auto dx = upload(x), out = zeros<float>(128);
  ASSERT_EQ(launch(f, {1}, {160}, 0, dx, out, tiles), 0) << findings();
  auto got = download<float>(out, 128);
  for (int i = 0; i < 128; ++i) {
    float want = 0;
    for (int t = 0; t < tiles; ++t)
      want += x[size_t(t * 128 + 127 - i)];
    ASSERT_EQ(got[i], want) << i;
  }
}

} // namespace
