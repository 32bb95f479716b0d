#include "ops/quant_matmul.h"

namespace tessera::ops {
using namespace dsl;

void QuantMatmul::define(Kernel &k, const Config &c) const {
  isQuantized(weight) ? definePacked(k, c) : defineDense(k, c);
}

// One row [1, bn] of the scales or mins of a block of W, as f32; the product of both levels where there are two.
static Tile scaleRow(const PackedFormat &format, View scale, View superScale) {
  Tile row = trans(load(scale).to(f32));
  return format.twoLevels() ? row * trans(load(superScale).to(f32)) : row;
}

// With w = (code - bias) · dw + min and a = da · q, a group's share of C is
//   Σ a w = da · (dw · (Σ q code - bias · Σ q) + min · Σ q).
// One program owns one bm × bn block of C.
void QuantMatmul::definePacked(Kernel &k, const Config &c) const {
  const PackedFormat &format = *info(weight).packed;
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("codes", i8, {M, K});
  Tensor scale = k.in("scale", f32, {M, K / format.group});
  Tensor sum = k.in("sum", i32, {M, K / format.group});
  Tensor W = k.in("W", weight, {N, K});
  Tensor C = k.out("C", f32, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm)); // rows fastest: a weight panel stays in cache

  Tile total = loop(blocks(K, format.group), zeros({c.bm, c.bn}), [&](Range kk, Tile acc) {
    View w = W(n, kk);
    Tile sa = load(sum(m, kk / format.group)); // [bm, 1]
    Tile product = dot(load(A(m, kk)), trans(load(codes(w))));
    if (format.bias)
      product = product - sa * format.bias;
    Tile share = scaleRow(format, scales(w), superScales(w)) * product.to(f32);
    if (format.hasMin)
      share = share + scaleRow(format, mins(w), superMins(w)) * sa.to(f32);
    return acc + load(scale(m, kk / format.group)) * share;
  });
  store(C(m, n), epilogue(total, n));
}

// C = epilogue(A · Wᵀ). One program owns one bm × bn block of C.
void QuantMatmul::defineDense(Kernel &k, const Config &c) const {
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("A", f32, {M, K});
  Tensor W = k.in("W", weight, {N, K});
  Tensor C = k.out("C", f32, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm));

  Tile sum = loop(blocks(K, c.bk), zeros({c.bm, c.bn}),
                  [&](Range kk, Tile acc) { return dot(load(A(m, kk)), trans(load(W(n, kk)).to(f32)), acc); });
  store(C(m, n), epilogue(sum, n));
}

QuantMatmul::Config QuantMatmul::defaultConfig(const Target &target, int64_t rows) const {
  // One row alone on a GPU: a lane for every output, which reads its row of the panel.
  if (target.vendor != Vendor::cpu && rows == 1 && isPacked(weight))
    return {.bm = 1, .bn = 32, .bk = 32};
  if (target.vendor != Vendor::cpu)
    return {.bm = int(std::clamp<int64_t>(floorPower(int(std::min<int64_t>(rows, 64))), 16, 64)), .bn = 64, .bk = 32};
  int most = target.registers >= 32 ? 8 : 4, bm = floorPower(int(std::min<int64_t>(most, std::max<int64_t>(rows, 1))));
  // One row alone waits for memory: panel after panel is one stream, which the prefetchers follow; several at once are
  // short streams, and a third slower.
  if (bm == 1 && isPacked(weight))
    return {.bm = 1, .bn = panelRows, .bk = lanes(target)};
  int vectors = bm == 1 ? 4 : 2; // one row alone needs more accumulators to hide the latency of an add
  return {.bm = bm, .bn = std::max(vectors * lanes(target), panelRows), .bk = lanes(target)};
}

Cost QuantMatmul::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  double activations = isQuantized(weight) ? m * k * (1 + 8.0 / info(weight).packed->group) : m * k * 4;
  double weights =
      isPacked(weight) ? double(panelBytes(weight, at(s, "N"), at(s, "K"))) : n * k * info(weight).bits / 8;
  return {2 * m * n * k, activations + weights + m * n * 4};
}

} // namespace tessera::ops
