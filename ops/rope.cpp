#include "ops/rope.h"

namespace tessera::ops {
using namespace dsl;

// (a, b) <- (a · cos - b · sin, b · cos + a · sin). One program owns bd pairs of one head of one token.
void Rope::define(Kernel &k, const Config &c) const {
  if (!k.require(rotaryDim > 0 && rotaryDim % 2 == 0 && rotaryDim <= headDim,
                 "rope turns an even number of a head's " + std::to_string(headDim) + " coordinates, not " +
                     std::to_string(rotaryDim)))
    return;
  int64_t half = rotaryDim / 2;
  auto [T, P] = k.dims("T", "P");
  Tensor x = k.inOut("x", f32, {T, heads, headDim});
  Tensor pos = k.in("pos", i32, {T});
  Tensor cosTable = k.in("cos", f32, {P, half});
  Tensor sinTable = k.in("sin", f32, {P, half});

  auto [t, h, i] = k.parallel(each(T), each(heads), blocks(half, c.bd));
  Tile p = load(pos(t)), cosine = load(cosTable(p, i)), sine = load(sinTable(p, i));

  auto turn = [&](View first, View second, auto... mask) {
    Tile a = load(first, mask...), b = load(second, mask...);
    store(first, a * cosine - b * sine, mask...);
    store(second, b * cosine + a * sine, mask...);
  };
  if (interleaved)
    turn(x(t, h, i.pos() * 2), x(t, h, i.pos() * 2 + 1), i.pos() < half);
  else
    turn(x(t, h, i), x(t, h, i + half));
}

Rope Rope::of(DType, const Sizes &s) {
  return {int(at(s, "heads")), int(at(s, "headDim")), int(at(s, "rotaryDim")), at(s, "interleaved") != 0};
}

Cost Rope::cost(const Sizes &s) const {
  double pairs = double(at(s, "T")) * heads * rotaryDim / 2;
  return {6 * pairs, pairs * 16 + double(at(s, "T")) * rotaryDim * 4};
}

} // namespace tessera::ops
