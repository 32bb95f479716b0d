#include "ops/rope_append.h"
#include "ops/rms_norm.h"
#include <functional>

namespace tessera::ops {
using namespace dsl;

// One program owns bh kv heads of one token and the query heads that read them.
void RopeAppend::define(Kernel &k, const Config &c) const {
  if (!k.require(rotaryDim > 0 && rotaryDim % 2 == 0 && rotaryDim <= headDim,
                 "rope turns an even number of a head's " + std::to_string(headDim) + " coordinates, not " +
                     std::to_string(rotaryDim)) ||
      !k.require(kvHeads > 0 && heads % kvHeads == 0 && kvHeads % c.bh == 0,
                 "rope_append shares " + std::to_string(heads) + " heads out among " + std::to_string(kvHeads) +
                     " kv heads, " + std::to_string(c.bh) + " of which go to a program"))
    return;
  int64_t half = rotaryDim / 2, d = headDim, mine = c.bh * (heads / kvHeads);
  auto [T, pages, P] = k.dims("T", "pages", "P");
  Tensor qkv = k.in("qkv", f32, {T, heads + 2 * kvHeads, d});
  Tensor slots = k.in("slots", i32, {T});
  Tensor pos = k.in("pos", i32, {T});
  Tensor cosTable = k.in("cos", f32, {P, half});
  Tensor sinTable = k.in("sin", f32, {P, half});
  Tensor qNorm = norms ? k.in("qNorm", f32, {d}) : Tensor();
  Tensor kNorm = norms ? k.in("kNorm", f32, {d}) : Tensor();
  Tile eps = norms ? k.scalar("eps", f32) : Tile();
  Tensor q = k.out("q", f32, {T, heads, d});
  Tensor K = keyColumns ? k.inOut("K", cache, {pages, kvHeads, d, pageSize})
                        : k.inOut("K", cache, {pages, kvHeads, pageSize, d});
  Tensor V = k.inOut("V", cache, {pages, kvHeads, pageSize, d});

  auto [t, part] = k.parallel(each(T), each(kvHeads / c.bh));
  Tile at = load(pos(t)), slot = load(slots(t)), page = slot / pageSize, offset = slot % pageSize;

  // Head h of qkv, normalised and turned, to where `to` says.
  using To = std::function<View(Subscript)>;
  auto turn = [&](Tile h, const Tensor &weight, DType dtype, const To &to) {
    Tile scale;
    if (norms)
      scale = rmsScale(d, d, c.bn, eps, [&](Range j) { return load(qkv(t, h, j)); });
    auto value = [&](Subscript i) {
      Tile x = load(qkv(t, h, i));
      return norms ? reshape(x * scale * load(weight(i)), x.shape()) : x;
    };
    auto rotate = [&](Subscript first, Subscript second, Range i) {
      Tile cosine = load(cosTable(at, i)), sine = load(sinTable(at, i)), a = value(first), b = value(second);
      store(to(first), (a * cosine - b * sine).to(dtype));
      store(to(second), (b * cosine + a * sine).to(dtype));
    };
    loop(blocks(half, c.bd), [&](Range i) {
      if (interleaved)
        rotate(i.pos() * 2, i.pos() * 2 + 1, i);
      else
        rotate(i, i + half, i);
    });
    if (rotaryDim < headDim) {
      Tile rest = iota(headDim - rotaryDim) + rotaryDim;
      store(to(rest), value(rest).to(dtype));
    }
  };
  loop(each(mine), [&](Tile i) {
    Tile h = part * mine + i;
    turn(h, qNorm, f32, [&](Subscript e) { return q(t, h, e); });
  });
  loop(each(int64_t(c.bh)), [&](Tile i) {
    Tile h = part * c.bh + i;
    turn(h + heads, kNorm, cache,
         [&](Subscript e) { return keyColumns ? K(page, h, e, offset) : K(page, h, offset, e); });
    store(V(page, h, offset, all), load(qkv(t, h + (heads + kvHeads), all)).to(cache));
  });
}

Sizes RopeAppend::sizes() {
  return {{"T", 64},         {"P", 2048},        {"pages", 128},   {"heads", 9}, {"kvHeads", 3},   {"headDim", 64},
          {"rotaryDim", 64}, {"interleaved", 0}, {"pageSize", 16}, {"norms", 0}, {"keyColumns", 0}};
}

RopeAppend RopeAppend::of(DType dtype, const Sizes &s) {
  return {int(at(s, "heads")),       int(at(s, "kvHeads")), int(at(s, "headDim")),  int(at(s, "rotaryDim")),
          at(s, "interleaved") != 0, at(s, "norms") != 0,   int(at(s, "pageSize")), dtype,
          at(s, "keyColumns") != 0};
}

Cost RopeAppend::cost(const Sizes &s) const {
  double tokens = double(at(s, "T")), turned = tokens * (heads + kvHeads), width = info(cache).bits / 8;
  return {turned * (3.0 * rotaryDim + (norms ? 4.0 * headDim : 0)),
          tokens * headDim * ((heads + 2 * kvHeads) * 4 + heads * 4 + 2 * kvHeads * width) + tokens * rotaryDim * 4};
}

} // namespace tessera::ops
