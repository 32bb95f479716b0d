#include "bench/peer.h"
#include <algorithm>
#include <chrono>
#include <dlfcn.h>
#include <memory>
#include <vector>

namespace tessera::bench {

// cblas_sgemm's C signature; 101 is row-major, 111 no transpose (cblas.h).
using Sgemm = void (*)(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda,
                       const float *b, int ldb, float beta, float *c, int ldc);
using SetThreads = void (*)(int);

std::optional<PeerCall> blasGemm(GemmShape shape, int threads) {
  static void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return std::nullopt;
  auto sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  auto setThreads = reinterpret_cast<SetThreads>(dlsym(library, "openblas_set_num_threads"));
  if (!sgemm || !setThreads)
    return std::nullopt;
  auto [m, n, k] = shape;
  auto floats = [](int64_t count, float value) { return std::make_shared<std::vector<float>>(count, value); };
  auto a = floats(m * k, 0.5f), b = floats(k * n, 0.25f), c = floats(m * n, 0);
  return [=] {
    setThreads(threads);
    sgemm(101, 111, 111, int(m), int(n), int(k), 1, a->data(), int(k), b->data(), int(n), 0, c->data(), int(n));
  };
}

std::optional<double> blasMicroseconds(int64_t m, int64_t n, int64_t k, int threads) {
  std::optional<PeerCall> once = blasGemm({m, n, k}, threads);
  if (!once)
    return std::nullopt;
  using Clock = std::chrono::steady_clock;
  auto elapsed = [&](int64_t times) {
    Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < times; ++i)
      (*once)();
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  };
  int64_t times = 1;
  while (elapsed(times) < 1000)
    times *= 2;
  std::vector<double> us;
  for (int sample = 0; sample < 10; ++sample)
    us.push_back(elapsed(times) / double(times));
  std::ranges::sort(us);
  return us[us.size() / 2];
}

} // namespace tessera::bench
