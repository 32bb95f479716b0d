#include "ops/rms_norm.h"
#include "ops/codes.h"
#include <optional>

namespace tessera::ops {
using namespace dsl;

Tile rmsScale(const Size &D, Operand count, int64_t bd, const Tile &eps, const std::function<Tile(Range)> &load) {
  Tile squares = loop(blocks(D, bd), zeros({1, bd}), [&](Range j, Tile squares) {
    Tile v = reshape(load(j), {1, bd});
    return squares + v * v;
  });
  return rsqrt(reduceSum(squares, 1) / count + eps);
}

// y = v · rsqrt(mean(v²) + eps) · w, where v = x, or r + x which becomes r. One program owns one row.
void RmsNorm::define(Kernel &k, const Config &c) const {
  if (group && !wholeGroups(k, c.bd, group))
    return;
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor r = residual ? k.inOut("r", f32, {T, D}) : x;
  Tensor w = k.in("w", f32, {D});
  std::optional<CodeRows> codes;
  Tensor y;
  if (group)
    codes.emplace(k, T, D, group);
  else
    y = k.out("y", f32, {T, D});
  Tile eps = k.scalar("eps", f32);

  Range t = k.parallel(blocks(T, 1));

  Tile scale = rmsScale(D, D, c.bd, eps, [&](Range j) {
    Tile v = load(x(t, j));
    if (residual) {
      v = v + load(r(t, j));
      store(r(t, j), v);
    }
    return v;
  });

  loop(blocks(D, c.bd), [&](Range j) {
    Tile weight = onePlus ? load(w(j)) + 1.0 : load(w(j));
    Tile normed = load(r(t, j)) * scale * weight;
    if (codes)
      codes->store(t, j, normed);
    else
      store(y(t, j), normed);
  });
}

Cost RmsNorm::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  return {4 * elements, elements * (4 * (residual ? 3 : 1) + (group ? 1 + 8.0 / group : 4)) + double(at(s, "D")) * 4};
}

} // namespace tessera::ops
