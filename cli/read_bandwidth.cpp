#include "cli/read_bandwidth.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace tessera::cli {

namespace {
constexpr int passes = 7;

// Eight running sums, so that the additions do not wait for each other.
uint64_t sum(const uint64_t *begin, const uint64_t *end) {
  uint64_t sums[8] = {};
  for (; begin + 8 <= end; begin += 8)
    for (int i = 0; i < 8; ++i)
      sums[i] += begin[i];
  return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}
} // namespace

double readBandwidth(int threads, size_t bytes) {
  size_t words = bytes / sizeof(uint64_t);
  std::vector<uint64_t> memory(words, 1);
  std::atomic<uint64_t> total = 0; // keeps the reads from being optimised away
  double best = 0;
  for (int pass = 0; pass < passes; ++pass) {
    auto start = std::chrono::steady_clock::now();
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i)
      workers.emplace_back([&, i] {
        size_t share = words / size_t(threads);
        total += sum(memory.data() + share * size_t(i), memory.data() + share * size_t(i + 1));
      });
    workers.clear(); // joins
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, double(words / size_t(threads) * size_t(threads) * sizeof(uint64_t)) / seconds.count());
  }
  return total == 0 ? 0 : best;
}

} // namespace tessera::cli
