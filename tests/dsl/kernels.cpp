#include "tests/dsl/kernels.h"
#include <cmath>

namespace tessera::dsl {

static constexpr double log2e = 1.4426950408889634, lowest = -1e30;

// C = relu(A . B). One program owns one 32 x 64 block of C.
void gemm(Kernel &k) {
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("A", f16, {M, K});
  Tensor B = k.in("B", f16, {K, N});
  Tensor C = k.out("C", f16, {M, N});
  auto [m, n] = k.parallel(blocks(M, 32), blocks(N, 64));
  Tile acc = loop(blocks(K, 16), zeros({32, 64}),
                  [&](Range kk, Tile acc) { return dot(load(A(m, kk)), load(B(kk, n)), acc); });
  store(C(m, n), max(acc, 0).to(f16));
}

// y = x * rsqrt(mean(x^2) + eps) * w. One program owns one row.
void rmsNorm(Kernel &k) {
  auto [rows, d] = k.dims("rows", "d");
  Tensor x = k.in("x", f32, {rows, d});
  Tensor w = k.in("w", f32, {d});
  Tensor y = k.out("y", f32, {rows, d});
  Tile eps = k.scalar("eps", f32);
  Range r = k.parallel(blocks(rows, 1));
  Tile square = loop(blocks(d, 64), zeros({1, 64}), [&](Range j, Tile square) {
    Tile v = load(x(r, j));
    return square + v * v;
  });
  Tile scale = rsqrt(reduceSum(square, 1) / d + eps);
  loop(blocks(d, 64), [&](Range j) { store(y(r, j), load(x(r, j)) * scale * load(w(j))); });
}

// C = x . W^T with 4-bit weights and 8-bit activations: per block of 32, dw * dx * (codes . codes) + mw * dx * sum.
void quantMatmul(Kernel &k) {
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor x = k.in("codes", i8, {M, K});
  Tensor dx = k.in("scale", f32, {M, K / 32});
  Tensor sx = k.in("sum", i32, {M, K / 32});
  Tensor W = k.in("W", q4_1, {N, K});
  Tensor C = k.out("C", f32, {M, N});
  auto [m, n] = k.parallel(blocks(M, 4), blocks(N, 16));
  Tile acc = loop(blocks(K, 32), zeros({4, 16}), [&](Range kk, Tile acc) {
    Range block = kk / 32;
    Tile product = dot(load(x(m, kk)), trans(load(codes(W(n, kk)))));
    Tile dw = trans(load(scales(W(n, kk)))).to(f32);
    Tile mw = trans(load(mins(W(n, kk)))).to(f32);
    Tile d = load(dx(m, block));
    return acc + d * (dw * product.to(f32) + mw * load(sx(m, block)).to(f32));
  });
  store(C(m, n), acc);
}

// O = softmax(Q . K^T / sqrt(d), causal) . V, K and V in pages. One program owns 8 queries of one head.
void pagedAttention(Kernel &k) {
  constexpr int heads = 9, kvHeads = 3, d = 64, pageSize = 16, bm = 8, bn = 32;
  auto [batch, queries, pages, slots] = k.dims("batch", "queries", "pages", "slots");
  Tensor Q = k.in("q", f32, {batch, queries, heads, d});
  Tensor K = k.in("k", f16, {pages, kvHeads, pageSize, d});
  Tensor V = k.in("v", f16, {pages, kvHeads, pageSize, d});
  Tensor table = k.in("table", i32, {batch, slots});
  Tensor length = k.in("length", i32, {batch});
  Tensor O = k.out("o", f32, {batch, queries, heads, d});

  auto [b, h, m] = k.parallel(each(batch), each(heads), blocks(queries, bm));
  Tile len = load(length(b));
  Tile q = load(Q(b, m, h, all)).to(f16);
  Tile qPos = m.col() + (len - queries); // the queries are the last positions
  Tile kvHead = h / (heads / kvHeads);

  auto [acc, den, top] =
      loop(blocks(len, bn), carry(zeros({bm, d}), zeros({bm, 1}), full({bm, 1}, lowest)),
           [&](Range s, Tile acc, Tile den, Tile top) {
             Tile page = load(table(b, s.pos() / pageSize), s.pos() < len);
             Tile key = load(K(page, kvHead, s.pos() % pageSize, all), s.col() < len); // gathered: [bn, d]
             Tile val = load(V(page, kvHead, s.pos() % pageSize, all), s.col() < len);
             Tile score = where(s.row() <= qPos, dot(q, trans(key)) * (log2e / std::sqrt(d)), lowest);
             Tile newTop = max(top, reduceMax(score, 1));
             Tile keep = exp2(top - newTop), p = exp2(score - newTop);
             return carry(dot(p.to(f16), val, acc * keep), den * keep + reduceSum(p, 1), newTop);
           });
  store(O(b, m, h, all), acc / den);
}

// C++ may evaluate the operands below in any order, and g++ and clang differ; the loads of S must stay before the
// stores that overwrite it.
void anyOrder(Kernel &k) {
  Dim M = k.dims("M"), N = k.dims("N");
  Tensor A = k.in("A", f32, {M, N});
  Tensor S = k.inOut("S", f32, {M, N});
  Tensor T = k.inOut("T", f32, {M, N});
  auto [m, n] = k.parallel(blocks(M, 8), blocks(N, 8));
  auto total = [&](const Tensor &t) {
    return loop(blocks(N, 8), zeros({8, 1}), [&](Range j, Tile sum) { return sum + reduceSum(load(t(m, j)), 1); });
  };
  Tile unused = load(S(m, n)) * 2;
  Tile before = (load(S(m, n)) - load(A(m, n))) * (total(T) - total(S)) / max(load(T(m, n)), abs(load(S(m, n))));
  store(S(m, n), load(S(m, n)) + load(T(m, n)));
  store(T(m, n), load(S(m, n)) - load(A(m, n)));
  store(S(m, n), before);
}

} // namespace tessera::dsl
