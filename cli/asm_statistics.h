// Counts over the assembly text of a kernel: instructions by kind, and on a CPU vector registers in use.
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

// One kernel of a PTX text: total, then mma, fma, load_matrix, async_copy, global_load_16, global_load,
// global_store_16, global_store, shared, barrier, shuffle, convert, branch: static counts; _16 are those of 16 bytes,
// the others of less.
std::vector<std::pair<std::string, int64_t>> countPtx(std::string_view text, std::string_view entry);

} // namespace tessera::cli
