#include "ops/group_norm.h"

namespace tessera::ops {
using namespace dsl;

// One program owns one group of one row. Without a spatial axis its channels lie side by side, with one each channel is
// a run of S.
void GroupNorm::define(Kernel &k, const Config &c) const {
  if (!k.require(groups > 0, "group_norm takes at least one group, not " + std::to_string(groups)))
    return;
  Dim T = k.dims("T"), C = k.dims("C"), run = spatial ? k.dims("S") : C / groups;
  std::vector<Size> extents = {T, C};
  if (spatial)
    extents.push_back(run);
  Tensor x = k.in("x", f32, extents);
  Tensor w = k.in("w", f32, {C});
  Tensor b = k.in("b", f32, {C});
  Tensor y = k.out("y", f32, extents);
  Tile eps = k.scalar("eps", f32);

  auto [t, group] = k.parallel(each(T), each(groups));
  Tile first = group * (C / groups);

  // body(channel, range of its run, carried): every element of the group once, in memory order.
  auto walk = [&](auto body) {
    auto runOf = [&](Tile channel, Tile sums) {
      return loop(blocks(run, c.bd), sums, [&](Range j, Tile sums) { return body(channel, j, sums); });
    };
    if (!spatial)
      return runOf(first, zeros({c.bd}));
    return loop(each(C / groups), zeros({c.bd}), [&](Tile i, Tile sums) { return runOf(first + i, sums); });
  };
  auto view = [&](const Tensor &of, Tile channel, Range j) { return spatial ? of(t, channel, j) : of(t, j + channel); };
  Tile count = Tile(C / groups).to(f32);
  if (spatial)
    count = count * Tile(run).to(f32);

  Tile mean = reduceSum(walk([&](Tile ch, Range j, Tile sums) { return sums + load(view(x, ch, j)); }), 0) / count;
  Tile squares = walk([&](Tile ch, Range j, Tile sums) {
    Tile v = where(j.pos() < run, load(view(x, ch, j)) - mean, 0.0);
    return sums + v * v;
  });
  Tile scale = rsqrt(reduceSum(squares, 0) / count + eps);

  auto affine = [&](Tile channel, Range j) {
    Tile weight = spatial ? load(w(channel)) : load(w(j + channel));
    Tile bias = spatial ? load(b(channel)) : load(b(j + channel));
    store(view(y, channel, j), (load(view(x, channel, j)) - mean) * scale * weight + bias);
  };
  if (spatial)
    loop(each(C / groups), [&](Tile i) { loop(blocks(run, c.bd), [&](Range j) { affine(first + i, j); }); });
  else
    loop(blocks(run, c.bd), [&](Range j) { affine(first, j); });
}

Cost GroupNorm::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "C")) * double(at(s, "S"));
  return {7 * elements, 8 * elements + double(at(s, "C")) * 8};
}

} // namespace tessera::ops
