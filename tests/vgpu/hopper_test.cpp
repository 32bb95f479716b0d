// Kernels of sm_90a: TMA, mbarriers, wgmma, clusters; and what the checker says when a wait or a fence is left out.
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cmath>
#include <random>

namespace {

struct alignas(64) Map {
  char bytes[128];
};
uint16_t brain(float f) { return uint16_t(std::bit_cast<uint32_t>(f) >> 16); }

class Hopper : public VirtualGpu {
protected:
  void SetUp() override {
    VirtualGpu::SetUp();
    module = load("hopper");
  }
  // A row-major matrix; swizzle as cuda.h numbers it: 0 none, 3 of 128 bytes.
  Map map2d(CUdeviceptr p, int type, uint64_t columns, uint64_t rows, uint64_t pitch, uint32_t boxColumns,
            uint32_t boxRows, int swizzle) {
    Map map;
    uint64_t sizes[] = {columns, rows}, strides[] = {pitch};
    uint32_t box[] = {boxColumns, boxRows}, steps[] = {1, 1};
    EXPECT_EQ(cuTensorMapEncodeTiled(&map, type, 2, reinterpret_cast<void *>(p), sizes, strides, box, steps, 0, swizzle,
                                     0, 0),
              0);
    return map;
  }
  void *module = nullptr;
};

TEST_F(Hopper, TmaMovesTilesAndCutsEdges) {
  int columns = 100, rows = 50;
  std::vector<float> x(size_t(columns * rows));
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float(i);
  auto in = upload(x), out = zeros<float>(x.size());
  Map from = map2d(in, 7, 100, 50, 400, 64, 32, 0), to = map2d(out, 7, 100, 50, 400, 64, 32, 0);
  ASSERT_EQ(launch(function(module, "doubleTiles"), {2, 2}, {128}, 0, from, to), 0) << findings();
  auto got = download<float>(out, x.size());
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_EQ(got[i], 2 * x[i]) << i;
}

TEST_F(Hopper, WgmmaGemm) {
  int M = 128, N = 192, K = 448;
  std::mt19937 generator(3);
  std::vector<uint16_t> a(size_t(M * K)), b(size_t(N * K));
  std::vector<int> ia(a.size()), ib(b.size());
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = brain(float(ia[i] = int(generator() % 7) - 3));
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = brain(float(ib[i] = int(generator() % 7) - 3));
  auto da = upload(a), db = upload(b), dc = zeros<float>(size_t(M * N));
  Map mapA = map2d(da, 9, uint64_t(K), uint64_t(M), uint64_t(K) * 2, 64, 64, 3);
  Map mapB = map2d(db, 9, uint64_t(K), uint64_t(N), uint64_t(K) * 2, 64, 64, 3);
  void *f = function(module, "wgmmaGemm");
  ASSERT_EQ(cuFuncSetAttribute(f, 8, 65536), 0);
  ASSERT_EQ(launch(f, {unsigned(N / 64), unsigned(M / 64)}, {160}, 65536, mapA, mapB, dc, N, K), 0) << findings();
  auto got = download<float>(dc, size_t(M * N));
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      int want = 0;
      for (int k = 0; k < K; ++k)
        want += ia[size_t(i * K + k)] * ib[size_t(j * K + k)];
      ASSERT_EQ(got[size_t(i * N + j)], float(want)) << i << " " << j;
    }
}

TEST_F(Hopper, MulticastToACluster) {
  std::vector<float> x(256);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float(i) * 0.5f;
  auto in = upload(x), out = zeros<float>(512);
  ASSERT_EQ(launch(function(module, "multicast"), {4}, {128}, 0, in, out), 0) << findings();
  auto got = download<float>(out, 512);
  for (int block = 0; block < 4; ++block)
    for (int i = 0; i < 128; ++i)
      ASSERT_EQ(got[size_t(block * 128 + i)], x[size_t(block / 2 * 128 + i)]) << block << " " << i;
}

TEST_F(Hopper, DistributedSharedMemory) {
  auto out = zeros<int>(8 * 32);
  ASSERT_EQ(launch(function(module, "neighbours"), {8}, {32}, 0, out), 0) << findings();
  auto got = download<int>(out, 8 * 32);
  for (int block = 0; block < 8; ++block)
    for (int i = 0; i < 32; ++i)
      ASSERT_EQ(got[size_t(block * 32 + i)], (block / 4 * 4 + (block + 1) % 4) * 100 + 31 - i) << block << " " << i;
}

TEST_F(Hopper, ReportsAMissingProxyFence) {
  auto out = zeros<float>(64 * 32);
  Map to = map2d(out, 7, 64, 32, 256, 64, 32, 0);
  EXPECT_EQ(launch(function(module, "missingProxyFence"), {1}, {128}, 0, to), 719);
  EXPECT_NE(findings().find("fence.proxy.async is missing"), std::string::npos) << findings();
}
TEST_F(Hopper, ReportsAMissingTmaWait) {
  auto x = zeros<float>(64 * 32), out = zeros<float>(128);
  Map from = map2d(x, 7, 64, 32, 256, 64, 32, 0);
  EXPECT_EQ(launch(function(module, "missingTmaWait"), {1}, {128}, 0, from, out), 719);
  EXPECT_NE(findings().find("missing wait"), std::string::npos) << findings();
}
// Without expect_tx nobody arrives for the one arrival: the wait never ends.
TEST_F(Hopper, ReportsAMissingExpect) {
  auto x = zeros<float>(64 * 32), out = zeros<float>(128);
  Map from = map2d(x, 7, 64, 32, 256, 64, 32, 0);
  EXPECT_EQ(launch(function(module, "missingExpect"), {1}, {128}, 0, from, out), 702);
  EXPECT_NE(findings().find("deadlock"), std::string::npos) << findings();
}

} // namespace
