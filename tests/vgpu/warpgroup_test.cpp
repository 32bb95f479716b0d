// wgmma GEMMs that nvcc compiled, on whole numbers that are exact in every format; and a volume by tensor copies.
#include "tests/vgpu/vectors.h"
#include <cstring>
#include <random>

namespace {
using namespace elements;

struct alignas(64) Map {
  char bytes[128];
};

class Warpgroup : public VirtualGpu {
protected:
  void SetUp() override {
    VirtualGpu::SetUp();
    module = load("warpgroup");
  }
  // Rows of `columns` elements; boxes of 128 bytes by 64 rows.
  Map map2d(CUdeviceptr p, int type, int bytes, uint64_t columns, uint64_t rows, int swizzle) {
    Map map;
    uint64_t sizes[] = {columns, rows}, strides[] = {columns * uint64_t(bytes)};
    uint32_t box[] = {128u / uint32_t(bytes), 64}, steps[] = {1, 1};
    EXPECT_EQ(cuTensorMapEncodeTiled(&map, type, 2, reinterpret_cast<void *>(p), sizes, strides, box, steps, 0, swizzle,
                                     0, 0),
              0);
    return map;
  }
  std::vector<int> randoms(const Format &f, size_t n) {
    std::vector<int> v(n);
    for (int &x : v)
      x = value(f, unsigned(generator()));
    return v;
  }
  CUdeviceptr pack(const std::vector<int> &v, const Format &f) {
    std::vector<uint8_t> bytes(v.size() * size_t(f.bits) / 8);
    for (size_t i = 0; i < v.size(); ++i) {
      uint64_t code = encode(f, v[i]);
      std::memcpy(&bytes[i * size_t(f.bits) / 8], &code, size_t(f.bits) / 8);
    }
    return upload(bytes);
  }
  // A[M, K] * B[N, K]^T
  void check(const char *name, const Format &f, int type, bool whole) {
    int K = 2 * 1024 / f.bits; // two steps
    auto a = randoms(f, size_t(M * K)), b = randoms(f, size_t(N * K));
    auto da = pack(a, f), db = pack(b, f), dc = zeros<float>(size_t(M * N));
    Map mapA = map2d(da, type, f.bits / 8, uint64_t(K), uint64_t(M), 3),
        mapB = map2d(db, type, f.bits / 8, uint64_t(K), uint64_t(N), 3);
    ASSERT_EQ(launch(function(module, name), {unsigned(N / 64), unsigned(M / 64)}, {128}, 0, mapA, mapB, dc, N, K), 0)
        << name << findings();
    auto got = download<uint32_t>(dc, size_t(M * N));
    for (int i = 0; i < M; ++i)
      for (int j = 0; j < N; ++j) {
        int want = 0;
        for (int k = 0; k < K; ++k)
          want += a[size_t(i * K + k)] * b[size_t(j * K + k)];
        uint32_t bits = got[size_t(i * N + j)];
        ASSERT_EQ(whole ? double(int32_t(bits)) : double(std::bit_cast<float>(bits)), want)
            << name << " " << i << " " << j;
      }
  }
  static constexpr int M = 128, N = 192;
  std::mt19937 generator{4};
  void *module = nullptr;
};

TEST_F(Warpgroup, ElementTypes) {
  check("gemmHalf", f16, 6, false);
  check("gemmTf32", tf32, 7, false);
  check("gemmE4m3", e4m3, 0, false);
  check("gemmE5m2", e5m2, 0, false);
  check("gemmInt8", s8, 0, true);
}

TEST_F(Warpgroup, OperandsWithKAsTheSlowDimension) {
  int K = 128;
  auto a = randoms(bf16, size_t(K * M)), b = randoms(bf16, size_t(K * N));
  auto da = pack(a, bf16), db = pack(b, bf16), dc = zeros<float>(size_t(M * N));
  Map mapA = map2d(da, 9, 2, uint64_t(M), uint64_t(K), 3), mapB = map2d(db, 9, 2, uint64_t(N), uint64_t(K), 3);
  ASSERT_EQ(
      launch(function(module, "gemmTransposed"), {unsigned(N / 64), unsigned(M / 64)}, {128}, 0, mapA, mapB, dc, N, K),
      0)
      << findings();
  auto got = download<float>(dc, size_t(M * N));
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      int want = 0;
      for (int k = 0; k < K; ++k)
        want += a[size_t(k * M + i)] * b[size_t(k * N + j)];
      ASSERT_EQ(got[size_t(i * N + j)], float(want)) << i << " " << j;
    }
}

TEST_F(Warpgroup, LeftOperandInRegistersAndAStmatrixEpilogue) {
  int K = 128;
  auto a = randoms(bf16, size_t(M * K)), b = randoms(bf16, size_t(N * K));
  auto da = pack(a, bf16), db = pack(b, bf16), dc = zeros<uint16_t>(size_t(M * N));
  Map mapB = map2d(db, 9, 2, uint64_t(K), uint64_t(N), 3), mapC = map2d(dc, 9, 2, uint64_t(N), uint64_t(M), 0);
  ASSERT_EQ(
      launch(function(module, "gemmRegisters"), {unsigned(N / 64), unsigned(M / 64)}, {128}, 0, da, mapB, mapC, K), 0)
      << findings();
  auto got = download<uint16_t>(dc, size_t(M * N));
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      int sum = 0;
      for (int k = 0; k < K; ++k)
        sum += 2 * a[size_t(i * K + k)] * b[size_t(j * K + k)];
      uint32_t bits = std::bit_cast<uint32_t>(float(sum)); // rounded to bf16, ties to even
      ASSERT_EQ(got[size_t(i * N + j)], uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)) << i << " " << j;
    }
}

TEST_F(Warpgroup, VolumeByTensorCopies) {
  uint64_t sizes[] = {40, 10, 7}, strides[] = {160, 1600};
  uint32_t box[] = {16, 4, 2}, steps[] = {1, 1, 1};
  std::vector<float> x(40 * 10 * 7);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float(i) + 1;
  auto in = upload(x), out = zeros<float>(x.size());
  Map from, to;
  ASSERT_EQ(cuTensorMapEncodeTiled(&from, 7, 3, reinterpret_cast<void *>(in), sizes, strides, box, steps, 0, 0, 0, 0),
            0);
  ASSERT_EQ(cuTensorMapEncodeTiled(&to, 7, 3, reinterpret_cast<void *>(out), sizes, strides, box, steps, 0, 0, 0, 0),
            0);
  ASSERT_EQ(launch(function(module, "volume"), {3, 3, 2}, {128}, 0, from, to), 0) << findings();
  auto got = download<float>(out, x.size());
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(got[i], -x[i]) << i;
}

} // namespace
