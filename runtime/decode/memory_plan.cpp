#include "runtime/decode/memory_plan.h"
#include <algorithm>
#include <numeric>

namespace tessera::decode {

static constexpr int64_t alignment = 64; // a cache line and a vector register

MemoryPlan planMemory(std::span<const Lifetime> tensors) {
  auto rounded = [&](size_t i) { return (tensors[i].bytes + alignment - 1) / alignment * alignment; };
  MemoryPlan plan;
  plan.offsets.assign(tensors.size(), 0);
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return rounded(a) != rounded(b) ? rounded(a) > rounded(b) : a < b; });
  std::vector<size_t> placed; // ascending by offset
  for (size_t tensor : order) {
    int64_t at = 0;
    for (size_t other : placed) {
      bool together = tensors[other].first <= tensors[tensor].last && tensors[tensor].first <= tensors[other].last;
      if (!together)
        continue;
      if (plan.offsets[other] >= at + rounded(tensor))
        break; // the gap before `other` is wide enough, and so is free whatever follows
      at = std::max(at, plan.offsets[other] + rounded(other));
    }
    plan.offsets[tensor] = at;
    plan.bytes = std::max(plan.bytes, at + rounded(tensor));
    auto after = std::find_if(placed.begin(), placed.end(), [&](size_t o) { return plan.offsets[o] > at; });
    placed.insert(after, tensor);
  }
  return plan;
}

} // namespace tessera::decode
