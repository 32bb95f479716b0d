#include "ops/rope.h"
#include <algorithm>

namespace tessera::ops {
using namespace dsl;

// (a, b) <- (a · cos - b · sin, b · cos + a · sin). One program owns bd pairs of one head of one token.
void Rope::define(Kernel &k, const Config &c) const {
  if (!k.require(rotaryDim > 0 && rotaryDim % 2 == 0 && rotaryDim <= headDim,
                 "rope turns an even number of a head's " + std::to_string(headDim) + " coordinates, not " +
                     std::to_string(rotaryDim)))
    return;
  int64_t half = rotaryDim / 2;
  bool sectioned = sections != std::array<int, 3>{};
  if (!k.require(!sectioned || (std::ranges::min(sections) >= 0 && sections[0] + sections[1] + sections[2] == half),
                 "rope's sections cover the " + std::to_string(half) + " pairs that turn, each once"))
    return;
  auto [T, P] = k.dims("T", "P");
  Tensor x = k.inOut("x", f32, {T, heads, headDim});
  Tensor pos = sectioned ? k.in("pos", i32, {3, T}) : k.in("pos", i32, {T});
  Tensor cosTable = k.in("cos", f32, {P, half});
  Tensor sinTable = k.in("sin", f32, {P, half});

  auto [t, h, i] = k.parallel(each(T), each(heads), blocks(half, c.bd));
  auto angles = [&](const Tensor &table) {
    if (!sectioned)
      return load(table(load(pos(t)), i));
    Tile time = load(table(load(pos(0, t)), i)), height = load(table(load(pos(1, t)), i)),
         width = load(table(load(pos(2, t)), i));
    return where(i.pos() < sections[0], time, where(i.pos() < sections[0] + sections[1], height, width));
  };
  Tile cosine = angles(cosTable), sine = angles(sinTable);

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
  return {int(at(s, "heads")),
          int(at(s, "headDim")),
          int(at(s, "rotaryDim")),
          at(s, "interleaved") != 0,
          {int(at(s, "timePairs")), int(at(s, "heightPairs")), int(at(s, "widthPairs"))}};
}

Cost Rope::cost(const Sizes &s) const {
  double pairs = double(at(s, "T")) * heads * rotaryDim / 2;
  return {6 * pairs, pairs * 16 + double(at(s, "T")) * rotaryDim * 4};
}

} // namespace tessera::ops
