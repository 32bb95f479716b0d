#include "ops/rms_norm.h"
#include "ops/codes.h"

namespace tessera::ops {
using namespace dsl;

Tile rmsScale(const Size &D, Operand count, int64_t bd, const Tile &eps, const std::function<Tile(Range)> &load) {
  Tile squares = loop(blocks(D, bd), zeros({1, bd}), [&](Range j, Tile squares) {
    Tile v = reshape(load(j), {1, bd});
    return squares + v * v;
  });
  return rsqrt(reduceSum(squares, 1) / count + eps);
}

// The largest code of a type that holds codes, else 0.
static double largestCode(DType dtype) { return dtype == i8 ? 127 : dtype == e4m3 ? 448 : dtype == e5m2 ? 57344 : 0; }

// y = v · s · w with s = rsqrt(mean(v²) + eps), where v = x, or r + x which becomes r. With one scale a row, y = code ·
// scale with scale = s · max|v w| / largest and code = v w · largest / max|v w|: s itself cancels. One program owns one
// row.
void RmsNorm::define(Kernel &k, const Config &c) const {
  if (group && !wholeGroups(k, c.bd, group))
    return;
  if (!k.require(!group || out == f32, "rms_norm makes codes of groups or of whole rows: group is " +
                                           std::to_string(group) + " and out is " + std::string(tessera::name(out))))
    return;
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor r = residual ? k.inOut("r", f32, {T, D}) : x;
  Tensor w = k.in("w", f32, {D});
  RowOutput y(k, T, D, group, out);
  double largest = largestCode(out);
  Tensor rowScale = largest ? k.out("scale", f32, {T}) : Tensor();
  Tile eps = k.scalar("eps", f32);

  Range t = k.parallel(blocks(T, 1));
  auto weight = [&](Range j) { return onePlus ? load(w(j)) + 1.0 : load(w(j)); };
  auto value = [&](Range j) {
    Tile v = load(x(t, j));
    if (residual) {
      v = v + load(r(t, j));
      store(r(t, j), v);
    }
    return v;
  };
  if (!largest) {
    Tile scale = rmsScale(D, D, c.bd, eps, value);
    loop(blocks(D, c.bd), [&](Range j) { y.store(t, j, load(r(t, j)) * scale * weight(j)); });
    return;
  }
  auto [squares, most] =
      loop(blocks(D, c.bd), carry(zeros({1, c.bd}), zeros({1, c.bd})), [&](Range j, Tile squares, Tile most) {
        Tile v = value(j);
        return carry(squares + v * v, max(abs(v * weight(j)), most));
      });
  Tile top = reduceMax(most, 1), tiny = top < 0x1p-100; // dividing by a subnormal could leave the codes' range
  Tile scale = rsqrt(reduceSum(squares, 1) / D + eps) * (top / largest);
  store(rowScale(t), reshape(where(tiny, 0.0, scale), {1}));
  Tile toCode = where(tiny, 0.0, largest / where(tiny, 1.0, top));
  loop(blocks(D, c.bd), [&](Range j) {
    Tile code = load(r(t, j)) * weight(j) * toCode;
    y.store(t, j, out == i8 ? roundHalfEven(code).to(i32) : code);
  });
}

Cost RmsNorm::cost(const Sizes &s) const {
  double rows = double(at(s, "T")), elements = rows * double(at(s, "D"));
  double written = group ? 1 + 8.0 / group : info(out).bits / 8;
  return {4 * elements,
          elements * (4 * (residual ? 3 : 1) + written) + double(at(s, "D")) * 4 + (largestCode(out) ? rows * 4 : 0)};
}

} // namespace tessera::ops
