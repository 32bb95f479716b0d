#include "ops/arg_max.h"
#include "ops/constants.h"

namespace tessera::ops {
using namespace dsl;

// One program owns one row. Each lane keeps its best value and where it first met it; the lanes are compared at the
// end.
void ArgMax::define(Kernel &k, const Config &c) const {
  auto [R, C] = k.dims("R", "C");
  Tensor x = k.in("x", f32, {R, C});
  Tensor y = k.out("y", i32, {R});

  Range r = k.parallel(blocks(R, 1));
  auto [best, place] = loop(blocks(C, c.bc), carry(full({1, c.bc}, -infinity), zeros({1, c.bc}, i32)),
                            [&](Range j, Tile best, Tile place) {
                              Tile value = where(j.row() < C, load(x(r, j)), -infinity);
                              Tile better = value > best;
                              return carry(where(better, value, best), where(better, j.row(), place));
                            });
  // The lowest place among the lanes that hold the maximum: the largest of the negated places.
  Tile none = full({1, c.bc}, -2147483647, i32);
  Tile lowestPlace = -reduceMax(where(best == reduceMax(best, 1), -place, none), 1);
  store(y(r), reshape(lowestPlace, {1}));
}

Cost ArgMax::cost(const Sizes &s) const {
  double elements = double(at(s, "R")) * double(at(s, "C"));
  return {elements, 4 * elements};
}

} // namespace tessera::ops
