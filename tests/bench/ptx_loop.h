// What stands in the loops and accesses of one kernel of a PTX text, counted.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace tessera::bench {

struct PtxLoop {
  int64_t mma = 0, ldmatrix = 0, wgmma = 0, other = 0; // instructions; `other` has no declarations, but every move
};

// The innermost loops of `entry` that have matrix operations, in the text's order: from a label to the last branch back
// to it.
std::vector<PtxLoop> matrixLoops(std::string_view ptx, std::string_view entry);

// Bytes of each of the entry's accesses to global memory, in the text's order: loads, stores and asynchronous copies.
std::vector<int64_t> globalAccesses(std::string_view ptx, std::string_view entry);

} // namespace tessera::bench
