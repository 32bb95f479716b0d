#include "ops/quant_matmul.h"

namespace tessera::ops {
using namespace dsl;

void QuantMatmul::define(Kernel &k, const Config &c) const {
  isPacked(weight) ? definePacked(k, c) : defineDense(k, c);
}

// With w = (code - bias) · dw + min and a = da · q, a block's share of C is
//   Σ a w = da · (dw · (Σ q code - bias · Σ q) + min · Σ q).
// One program owns one bm × bn block of C.
void QuantMatmul::definePacked(Kernel &k, const Config &c) const {
  const PackedFormat &format = *info(weight).packed;
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("codes", i8, {M, K});
  Tensor scale = k.in("scale", f32, {M, K / format.block});
  Tensor sum = k.in("sum", i32, {M, K / format.block});
  Tensor W = k.in("W", weight, {N, K});
  Tensor C = k.out("C", f32, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm)); // rows fastest: a weight panel stays in cache

  Tile total = loop(blocks(K, format.block), zeros({c.bm, c.bn}), [&](Range kk, Tile acc) {
    Range block = kk / format.block;
    Tile da = load(scale(m, block)), sa = load(sum(m, block)); // [bm, 1]
    Tile dw = trans(load(scales(W(n, kk))).to(f32));           // [1, bn]
    Tile product = dot(load(A(m, kk)), trans(load(codes(W(n, kk)))));
    if (format.bias)
      product = product - sa * format.bias;
    Tile share = dw * product.to(f32);
    if (format.hasMin)
      share = share + trans(load(mins(W(n, kk))).to(f32)) * sa.to(f32);
    return acc + da * share;
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
  int most = target.registers >= 32 ? 8 : 4, bm = floorPower(int(std::min<int64_t>(most, std::max<int64_t>(rows, 1))));
  int vectors = bm == 1 ? 4 : 2; // one row alone needs more accumulators to hide the latency of an add
  return {.bm = bm, .bn = std::max(vectors * lanes(target), panelRows), .bk = lanes(target)};
}

Cost QuantMatmul::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  double activations = isPacked(weight) ? m * k * (1 + 8 / 32.0) : m * k * 4;
  double weights =
      isPacked(weight) ? double(panelBytes(weight, at(s, "N"), at(s, "K"))) : n * k * info(weight).bits / 8;
  return {2 * m * n * k, activations + weights + m * n * 4};
}

} // namespace tessera::ops
