#include "ops/softmax.h"
#include "ops/constants.h"

namespace tessera::ops {
using namespace dsl;

// y = 2^((x - max) · log2 e) / sum. One program owns one row; maximum and sum are kept lane by lane until the end.
void Softmax::define(Kernel &k, const Config &c) const {
  auto [R, C] = k.dims("R", "C");
  Tensor x = k.in("x", f32, {R, C});
  Tensor y = c.exps == 1 ? k.inOut("y", f32, {R, C}) : k.out("y", f32, {R, C});

  Range r = k.parallel(blocks(R, 1));
  auto read = [&](Range j) { return where(j.row() < C, load(x(r, j)), -infinity); };

  Tile highest =
      loop(blocks(C, c.bc), full({1, c.bc}, -infinity), [&](Range j, Tile top) { return max(top, read(j)); });
  Tile top = reduceMax(highest, 1);
  auto power = [&](Range j) { return exp2((read(j) - top) * log2e); };

  Tile sums = loop(blocks(C, c.bc), zeros({1, c.bc}), [&](Range j, Tile sum) {
    Tile p = power(j);
    if (c.exps == 1)
      store(y(r, j), p);
    return sum + p;
  });
  Tile inverse = 1.0 / reduceSum(sums, 1);

  loop(blocks(C, c.bc), [&](Range j) { store(y(r, j), (c.exps == 1 ? load(y(r, j)) : power(j)) * inverse); });
}

Cost Softmax::cost(const Sizes &s) const {
  double elements = double(at(s, "R")) * double(at(s, "C"));
  return {5 * elements, 8 * elements};
}

} // namespace tessera::ops
