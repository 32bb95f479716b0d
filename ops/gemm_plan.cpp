#include "ops/gemm_plan.h"
#include "base/multiprocessors.h"
#include "ops/gemm_split.h"
#include <algorithm>

namespace tessera::ops {

static int64_t blocksOf(int64_t size, int64_t block) { return (size + block - 1) / block; }

static bool canBeCut(const Gemm &op) {
  return !op.panel && !op.kGroup && !op.scaled &&
         std::ranges::find(GemmSplit::dtypes, op.in) != std::end(GemmSplit::dtypes);
}

// Few outputs leave multiprocessors idle. Narrower blocks change no bit, so they come first, where blocks are low and
// a product reads more than it computes. Then k is cut: a quarter of the multiprocessors nearly saturates memory where
// blocks are low, so more than that is left whole; a second launch, and the parts that it reads, cost as much as about
// 32 steps (measured on the virtual GPUs, docs/design/0005).
GemmPlan planGemm(const Gemm &op, const Sizes &sizes, const Target &target) {
  int64_t m = std::max<int64_t>(at(sizes, "M"), 1), n = std::max<int64_t>(at(sizes, "N"), 1), k = at(sizes, "K");
  GemmPlan plan{op.defaultConfig(target, m)};
  int64_t chip = multiprocessors(target);
  auto blocks = [&] { return blocksOf(m, plan.config.bm) * blocksOf(n, plan.config.bn); };
  if (!chip)
    return plan;
  if (!op.panel && plan.config.bm == 16 && plan.config.bn > 64 && 2 * blocks() <= chip)
    plan.config.bn = 64;
  int64_t whole = blocks(), steps = blocksOf(k, plan.config.bk);
  if (!canBeCut(op) || 4 * whole > chip)
    return plan;
  int64_t splits = GemmSplit::splitsFor(plan.config, sizes, chip);
  if (splits > 1 && steps - blocksOf(steps, splits) >= 32)
    plan.splits = splits;
  return plan;
}

} // namespace tessera::ops
