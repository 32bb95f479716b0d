#include "ops/arg_max.h"
#include "ops/constants.h"

namespace tessera::ops {
using namespace dsl;

namespace {

// The best value of each lane, and where it was first met; nothing met is -inf at 0.
using Best = std::array<Tile, 2>;
Best nothing(int64_t lanes) { return {full({1, lanes}, -infinity), zeros({1, lanes}, i32)}; }
Best better(const Best &seen, const Tile &value, const Tile &place) {
  Tile higher = value > seen[0];
  return {where(higher, value, seen[0]), where(higher, place, seen[1])};
}
// The largest over the lanes, and the lowest place among those that hold it: the largest of the negated places.
Best across(const Best &lanes) {
  Tile top = reduceMax(lanes[0], 1);
  Tile none = full(lanes[1].shape(), -2147483647, i32);
  return {top, -reduceMax(where(lanes[0] == top, -lanes[1], none), 1)};
}

} // namespace

// One program owns one row, or one part of it.
void ArgMax::define(Kernel &k, const Config &c) const {
  if (!k.require(columns >= 0 && columns % c.bc == 0, "parts of arg_max are whole steps of " + std::to_string(c.bc) +
                                                          " columns, not " + std::to_string(columns)))
    return;
  auto [R, C] = k.dims("R", "C");
  Tensor x = k.in("x", f32, {R, C});
  auto best = [&](Range r, const Range &j, const Best &seen) {
    return better(seen, where(j.row() < C, load(x(r, j)), -infinity), j.row());
  };
  if (!columns) {
    Tensor y = k.out("y", i32, {R});
    Range r = k.parallel(blocks(R, 1));
    Best lanes =
        loop(blocks(C, c.bc), nothing(c.bc), [&](Range j, Tile seen, Tile place) { return best(r, j, {seen, place}); });
    store(y(r), reshape(across(lanes)[1], {1}));
    return;
  }
  Dim parts = k.dims("parts");
  Tensor highest = k.out("best", f32, {R, parts});
  Tensor place = k.out("place", i32, {R, parts});
  auto [r, p] = k.parallel(blocks(R, 1), blocks(parts, 1));
  Tile from = (p.origin * columns).to(i32), mine = min(max(C - from, 0), columns);
  Best lanes = loop(blocks(mine, c.bc), nothing(c.bc),
                    [&](Range s, Tile seen, Tile place) { return best(r, s + from, {seen, place}); });
  Best found = across(lanes);
  store(highest(r, p), found[0]);
  store(place(r, p), found[1]);
}

// One program owns one row.
void ArgMaxMerge::define(Kernel &k, const Config &c) const {
  auto [R, parts] = k.dims("R", "parts");
  Tensor highest = k.in("best", f32, {R, parts});
  Tensor place = k.in("place", i32, {R, parts});
  Tensor y = k.out("y", i32, {R});
  Range r = k.parallel(blocks(R, 1));
  Best lanes = loop(blocks(parts, c.bc), nothing(c.bc), [&](Range j, Tile seen, Tile at) {
    return better({seen, at}, where(j.row() < parts, load(highest(r, j)), -infinity), load(place(r, j)));
  });
  store(y(r), reshape(across(lanes)[1], {1}));
}

Cost ArgMaxMerge::cost(const Sizes &s) const {
  double elements = double(at(s, "R")) * double(at(s, "parts"));
  return {elements, 8 * elements};
}

Cost ArgMax::cost(const Sizes &s) const {
  double elements = double(at(s, "R")) * double(at(s, "C"));
  return {elements, 4 * elements};
}

} // namespace tessera::ops
