#include "ops/gemm_fix.h"
#include "ops/stream_plan.h"
#include <numeric>

namespace tessera::ops {
using namespace dsl;

// One program puts together a few rows of the block that worker w has begun and left, if there is one. A loop that runs
// once or not at all stands for a condition.
void GemmFix::define(Kernel &k, const Config &c) const {
  auto [M, N, workers] = k.dims("M", "N", "workers");
  Tensor parts = k.in("parts", f32, {workers, 2, c.bm, c.bn});
  Tensor C = k.inOut("C", out, {M, N});
  Tile K = k.scalar("K", i32).to(index);

  int64_t slice = std::gcd(c.bm, 8);
  auto [w, r] = k.parallel(each(workers), blocks(c.bm, slice));
  StreamPlan plan(M, N, workers, K, c);
  Tile begin = plan.begin(w), end = plan.begin(w + 1), block = end / plan.steps, start = block * plan.steps;
  Tile isLeft = min(end - start, 1), isBegun = 1 - min(max(begin, start) - start, 1);
  loop(each(isLeft * isBegun), [&](Tile) {
    Tile others = plan.workerOf(start + (plan.steps - 1)) - w;
    Tile sum = loop(each(others + 1), zeros({slice, c.bn}),
                    [&](Tile i, Tile acc) { return acc + load(parts(w + i, 1 - min(i, 1), r, all)); });
    Range n = plan.columnsOf(block), m(plan.rowsOf(block).origin + r.origin, M, slice, M);
    store(C(m, n), epilogue(sum, n).to(out));
  });
}

// As if every program had a block that it left.
Cost GemmFix::cost(const Sizes &s) const {
  double outputs = double(at(s, "M")) * double(at(s, "N"));
  return {outputs * 2, outputs * (8 + info(out).bits / 8)};
}

} // namespace tessera::ops
