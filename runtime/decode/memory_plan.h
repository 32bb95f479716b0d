// planMemory: places the activations of a step in one arena, so that tensors whose lives do not overlap share bytes.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::decode {

// A tensor's size and the first and last launch that touches it (first <= last).
struct Lifetime {
  int64_t bytes;
  int64_t first, last;
};

struct MemoryPlan {
  std::vector<int64_t> offsets; // one a tensor, multiples of 64
  int64_t bytes = 0;            // of the arena
};

// Largest tensors first, each at the lowest offset that is free during its whole life. Deterministic.
MemoryPlan planMemory(std::span<const Lifetime> tensors);

} // namespace tessera::decode
