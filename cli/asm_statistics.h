// Counts over the assembly text of a kernel: instructions by kind and vector registers in use.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tessera::cli {

struct AsmStatistics {
  // total, then fma, integer_dot, vector_load, vector_store, shuffle, convert, branch, call: static counts.
  std::vector<std::pair<std::string, int64_t>> counts;
  int vectorRegisters = 0; // distinct xmm/ymm/zmm registers by number
};

// `text` is x86-64 assembly in AT&T or Intel syntax.
AsmStatistics countInstructions(std::string_view text);

} // namespace tessera::cli
