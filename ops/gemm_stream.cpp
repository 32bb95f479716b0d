#include "ops/gemm_stream.h"
#include "ops/stream_plan.h"

namespace tessera::ops {
using namespace dsl;

// One program owns a range of steps. A loop that runs once or not at all stands for a condition.
void GemmStream::define(Kernel &k, const Config &c) const {
  auto [M, N, K, workers] = k.dims("M", "N", "K", "workers");
  Tensor A = k.in("A", in, {M, K});
  Tensor B = transposed ? k.in("B", in, {N, K}) : k.in("B", in, {K, N});
  Tensor C = k.out("C", out, {M, N});
  Tensor parts = k.out("parts", f32, {workers, 2, c.bm, c.bn});

  Tile w = k.parallel(each(workers));
  StreamPlan plan(M, N, workers, K, c);
  Tile begin = plan.begin(w), end = plan.begin(w + 1), first = begin / plan.steps;
  Tile blocksHere = (end + (plan.steps - 1)) / plan.steps - first;
  loop(each(blocksHere), [&](Tile i) {
    Tile block = first + i, start = block * plan.steps;
    Tile from = max(begin, start) - start, to = min(end, start + plan.steps) - start;
    Range m = plan.rowsOf(block), n = plan.columnsOf(block);
    Tile origin = from * c.bk;
    Tile sum = loop(blocks(min(to * c.bk, K) - origin, c.bk), zeros({c.bm, c.bn}), [&](Range step, Tile acc) {
      Range kk = step + origin;
      return dot(load(A(m, kk)), transposed ? trans(load(B(n, kk))) : load(B(kk, n)), acc, precision);
    });
    Tile whole = (to - from) / plan.steps, begun = 1 - min(from, 1);
    loop(each(whole), [&](Tile) { store(C(m, n), epilogue(sum, n).to(out)); });
    loop(each(1 - whole), [&](Tile) { store(parts(w, begun, all, all), sum); });
  });
}

Gemm::Config GemmStream::defaultConfig(const Target &target, int64_t rows) const {
  Config c = Gemm{.in = in, .transposed = transposed, .precision = precision}.defaultConfig(target, rows);
  if (target.vendor != Vendor::cpu) // what walks the steps takes registers too
    c.bn = std::min(c.bn, 64);
  return c;
}

Cost GemmStream::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  return {2 * m * n * k, (m * k + k * n) * info(in).bits / 8 + m * n * info(out).bits / 8};
}

} // namespace tessera::ops
