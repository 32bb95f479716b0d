// GemmPlan: which config a product takes on a chip, and into how many parts of k it is cut there.
#pragma once
#include "ops/gemm.h"

namespace tessera::ops {

// splits 1: Gemm alone. More: GemmSplit with as many parts, then GemmMerge, which adds them up.
struct GemmPlan {
  Gemm::Config config;
  int64_t splits = 1;
};

// The plan for sizes "M", "N" and "K". It follows from them, the op and the target's row alone, and 1 to 16 rows have
// one plan: batches of decoding share their bits. A plan of other splits rounds differently; who wants a row's bits to
// be the same for every M takes the plan of one row (or Gemm, whose bits no config changes) for all of them. Products
// that GemmSplit does not take (panels, scales, u8, 8-bit floats) are never cut, nor is anything on a CPU.
GemmPlan planGemm(const Gemm &op, const Sizes &sizes, const Target &target);

} // namespace tessera::ops
