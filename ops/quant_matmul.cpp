#include "ops/quant_matmul.h"
#include "ops/codes.h"
#include <memory>

namespace tessera::ops {
using namespace dsl;

namespace {

// The row block m of the left-hand side, and its products with blocks of W's rows.
struct Product {
  virtual ~Product() = default;
  // Σ over K for rows n of W: [bm, n].
  virtual Tile operator()(Range m, Range n) const = 0;
  Tensor W;
};

// One row [1, bn] of the scales or mins of a block of W, as f32; the product of both levels where there are two.
Tile scaleRow(const PackedFormat &format, View scale, View superScale) {
  Tile row = trans(load(scale).to(f32));
  return format.twoLevels() ? row * trans(load(superScale).to(f32)) : row;
}

// With w = (code - bias) · dw + min and a = da · q, a group's share of C is
//   Σ a w = da · (dw · (Σ q code - bias · Σ q) + min · Σ q).
struct PackedProduct : Product {
  PackedProduct(Kernel &k, DType weight, Dim M, Dim N, Dim K)
      : K(K), format(*info(weight).packed), A(k.in("codes", i8, {M, K})),
        scale(k.in("scale", f32, {M, K / format.group})), sum(k.in("sum", i32, {M, K / format.group})) {
    W = k.in("W", weight, {N, K});
  }
  Tile operator()(Range m, Range n) const override {
    return loop(blocks(K, format.group), zeros({m.size, n.size}), [&](Range kk, Tile acc) {
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
  }
  Dim K;
  const PackedFormat &format;
  Tensor A, scale, sum;
};

// Blocks of bk, or with two sums every second block in the one and the rest in the other: a sum alone takes a
// multiply-add's latency for each k, and then one row does not read as fast as memory gives.
struct DenseProduct : Product {
  DenseProduct(Kernel &k, DType weight, Dim M, Dim N, Dim K, const QuantMatmul::Config &c)
      : K(K), bk(c.bk), sums(c.sums), A(k.in("A", f32, {M, K})) {
    W = k.in("W", weight, {N, K});
  }
  Tile operator()(Range m, Range n) const override {
    Tile none = zeros({m.size, n.size});
    auto step = [&](Range kk, Tile acc) { return dot(load(A(m, kk)), trans(load(W(n, kk)).to(f32)), acc); };
    if (sums == 1)
      return loop(blocks(K, bk), none, step);
    // A block of a turn of two, which need not be there.
    auto of = [&](Range turn, int64_t which) { return Range(turn.origin + which * bk, turn.bound, bk, turn.limit); };
    // Both sums at once where they fit half of the registers: x86 has twice as many as lanes, which bk is.
    if (m.size * n.size <= bk * bk / 2) {
      auto [even, odd] = loop(blocks(K, 2 * bk), carry(none, none), [&](Range kk, Tile even, Tile odd) {
        return carry(step(of(kk, 0), even), step(of(kk, 1), odd));
      });
      return even + odd;
    }
    Tile even = loop(blocks(K, 2 * bk), none, [&](Range kk, Tile acc) { return step(of(kk, 0), acc); });
    return even + loop(blocks(K, 2 * bk), none, [&](Range kk, Tile acc) { return step(of(kk, 1), acc); });
  }
  Dim K;
  int64_t bk;
  int sums;
  Tensor A;
};

// Operands of a narrow float type: the weights of a step become it from f32.
struct HalfProduct : Product {
  HalfProduct(Kernel &k, DType activations, DType weight, Dim M, Dim N, Dim K, int64_t bk)
      : K(K), weight(weight), bk(isQuantized(weight) ? info(weight).packed->group : bk),
        A(k.in("A", activations, {M, K})) {
    W = k.in("W", weight, {N, K});
  }
  Tile operator()(Range m, Range n) const override {
    return loop(blocks(K, bk), zeros({m.size, n.size}), [&](Range kk, Tile acc) {
      Tile a = load(A(m, kk));
      return dot(a, trans(values(W(n, kk), a.dtype()).to(a.dtype())), acc);
    });
  }
  // One scale and one min a row where they are quantized. A code less its bias is exact in f16, and so is a scale of
  // one level: their product is rounded once there too, at half the operations.
  Tile values(View w, DType activations) const {
    if (!isQuantized(weight))
      return load(w);
    const PackedFormat &format = *info(weight).packed;
    DType in = activations == f16 && !format.twoLevels() ? f16 : f32;
    auto column = [&](View part, View super) {
      Tile one = load(part).to(in);
      return format.twoLevels() ? one * load(super).to(in) : one;
    };
    Tile value = load(codes(w)).to(in);
    if (format.bias)
      value = value - double(format.bias);
    value = value * column(scales(w), superScales(w));
    return format.hasMin ? value + column(mins(w), superMins(w)) : value;
  }
  Dim K;
  DType weight;
  int64_t bk;
  Tensor A;
};

} // namespace

// One program owns bm × bn of C. Rows of the grid go fastest: a weight panel stays in cache.
void QuantMatmul::define(Kernel &k, const Config &c) const {
  if (!k.require(c.sums == 1 || c.sums == 2, "quant_matmul keeps one sum or two, not " + std::to_string(c.sums)) ||
      !k.require(!gate || (c.bn == turn && !bias && !slice),
                 "a gated product takes " + std::to_string(turn) + " columns a program, and neither bias nor slice") ||
      !k.require(gate || !group, "only a gated product leaves 8-bit codes") ||
      !k.require(activations == f32 || activations == f16 || activations == bf16,
                 "quant_matmul takes activations of f32, f16 or bf16, not of " +
                     std::string(tessera::name(activations))))
    return;
  auto [M, N, K] = k.dims("M", "N", "K");
  std::unique_ptr<Product> product;
  if (activations != f32)
    product = std::make_unique<HalfProduct>(k, activations, weight, M, N, K, c.bk);
  else if (isQuantized(weight))
    product = std::make_unique<PackedProduct>(k, weight, M, N, K);
  else
    product = std::make_unique<DenseProduct>(k, weight, M, N, K, c);

  if (gate) {
    RowOutput C(k, M, N / 2, group, f32, {"yCodes", "yScale", "ySum", "C"});
    auto [w, m] = k.parallel(blocks(N, 2 * turn), blocks(M, c.bm));
    Tile gates = (*product)(m, Range(w.origin, w.bound, turn, w.limit));
    Tile ups = (*product)(m, Range(w.origin + turn, w.bound, turn, w.limit));
    return C.store(m, w / 2, activate(*gate, gates) * ups);
  }

  Tensor b = bias ? k.in("bias", f32, {N}) : Tensor();
  Tensor C = k.out("C", f32, {M, slice ? Size(k.dims("columns")) : Size(N)});
  Tile first = slice ? k.scalar("first", i32) : Tile();
  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm));
  Tile value = (*product)(m, n);
  if (bias)
    value = value + load(b(n));
  store(slice ? C(m, n + first) : C(m, n), epilogue(value, n));
}

QuantMatmul QuantMatmul::of(DType dtype, const Sizes &s) {
  constexpr Activation gates[] = {Activation::silu, Activation::gelu, Activation::geluTanh};
  QuantMatmul op{.weight = dtype,
                 .bias = at(s, "bias") != 0,
                 .group = int(at(s, "group")),
                 .activations = at(s, "f16")    ? f16
                                : at(s, "bf16") ? bf16
                                                : f32};
  if (int64_t gate = at(s, "gate"); gate >= 1 && gate <= 3)
    op.gate = gates[gate - 1];
  return op;
}

QuantMatmul::Config QuantMatmul::defaultConfig(const Target &target, int64_t rows) const {
  // On a GPU, one row alone: a lane for every output, which reads its row of W. Float weights are multiplied by the
  // threads; few columns and few k a step leave them registers, and lanes meet fewer banks twice.
  bool byThreads = activations == f32 && !isQuantized(weight);
  if (target.vendor != Vendor::cpu && rows == 1 && activations == f32)
    return {.bm = 1, .bn = 32, .bk = byThreads ? 16 : 32};
  if (target.vendor != Vendor::cpu)
    return {.bm = int(std::clamp<int64_t>(floorPower(int(std::min<int64_t>(rows, 64))), 16, 64)),
            .bn = gate || byThreads ? turn : 64,
            .bk = byThreads ? 16 : 32};
  int most = target.registers >= 32 ? 8 : 4, bm = floorPower(int(std::min<int64_t>(most, std::max<int64_t>(rows, 1))));
  if (gate)
    return {.bm = bm, .bn = turn, .bk = lanes(target), .sums = 2};
  // Few rows wait for memory: panel after panel is one stream; several at once are short streams, and a third slower.
  if (rows <= most && isPacked(weight))
    return {.bm = bm, .bn = panelRows, .bk = lanes(target), .sums = 2};
  int vectors = bm == 1 ? 4 : 2; // one row alone needs more accumulators to hide the latency of an add
  return {.bm = bm, .bn = std::max(vectors * lanes(target), panelRows), .bk = lanes(target), .sums = 2};
}

Cost QuantMatmul::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  double given = activations != f32    ? m * k * 2
                 : isQuantized(weight) ? m * k * (1 + 8.0 / info(weight).packed->group)
                                       : m * k * 4;
  double weights =
      isPacked(weight) ? double(panelBytes(weight, at(s, "N"), at(s, "K"))) : n * k * info(weight).bits / 8;
  double out = gate ? m * n / 2 * (group ? 1 + 8.0 / group : 4) : m * n * 4;
  return {2 * m * n * k, given + weights + out};
}

} // namespace tessera::ops
