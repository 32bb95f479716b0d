#include "ops/attention.h"
#include "ops/constants.h"
#include <cmath>

namespace tessera::ops {
using namespace dsl;

// o = softmax(q · kᵀ / sqrt(d), causal) · v with K and V in pages. One program owns bm queries of bh heads that share
// a kv head: their rows are stacked, so a key is read once for all of them. The softmax is rescaled as its maximum
// grows (Dao, FlashAttention-2, arXiv 2307.08691).
void Attention::define(Kernel &k, const Config &c) const {
  if (!k.require(kvHeads > 0 && heads % kvHeads == 0,
                 "attention shares a kv head among equally many heads, but there are " + std::to_string(heads) +
                     " heads for " + std::to_string(kvHeads)))
    return;
  if (!k.require(heads / kvHeads % c.bh == 0, "attention takes equal parts of the " + std::to_string(heads / kvHeads) +
                                                  " heads that share a kv head, but bh is " + std::to_string(c.bh)))
    return;
  int64_t group = heads / kvHeads, rows = c.bm * c.bh, d = headDim;
  auto [batch, queries, pages, slots] = k.dims("batch", "queries", "pages", "slots");
  Tensor q = k.in("q", f32, {batch, queries, heads, d});
  Tensor K = k.in("K", cache, {pages, kvHeads, pageSize, d});
  Tensor V = k.in("V", cache, {pages, kvHeads, pageSize, d});
  Tensor table = k.in("table", i32, {batch, slots});
  Tensor length = k.in("length", i32, {batch});
  Tensor o = k.out("o", f32, {batch, queries, heads, d});

  auto [b, h, m] = k.parallel(each(batch), blocks(heads, c.bh), blocks(queries, c.bm));
  Tile kvHead = h.origin / group;
  Tile len = load(length(b));
  Tile first = m.origin + (len - queries); // position of the block's first query
  Tile position = reshape(iota(rows), {rows, 1}) / c.bh + first;
  Tile query = reshape(load(q(b, m, h, all)), {rows, d});

  // A masked score is -inf and the running maximum finite, so a wholly masked step changes nothing, not even a bit.
  auto [acc, den, top] =
      loop(blocks(min(len, first + c.bm), c.bn), carry(zeros({rows, d}), zeros({rows, 1}), full({rows, 1}, lowest)),
           [&](Range s, Tile acc, Tile den, Tile top) {
             Tile page = load(table(b, s.pos() / pageSize), s.pos() < len), slot = s.pos() % pageSize;
             Tile key = load(K(page, kvHead, slot, all), s.col() < len).to(f32); // gathered: [bn, d]
             Tile value = load(V(page, kvHead, slot, all), s.col() < len).to(f32);

             Tile score = dot(query, trans(key)) * (log2e / std::sqrt(double(d)));
             score = where(s.row() <= position, score, -infinity);
             Tile newTop = max(top, reduceMax(score, 1));
             Tile keep = exp2(top - newTop), p = exp2(score - newTop);
             return carry(dot(p, value, acc * keep), den * keep + reduceSum(p, 1), newTop);
           });
  // Where any position was visible the largest one alone adds 1 to den.
  store(o(b, m, h, all), reshape(acc / max(den, 1.0), {c.bm, c.bh, d}));
}

// Scores [rows, bn] are one vector a row. Heads are stacked up to as many rows as lanes, queries up to half of that:
// more rows spill, and the code grows with rows · bn · headDim (measured at 9/3 heads of 64).
Attention::Config Attention::defaultConfig(const Target &target, int64_t queries) const {
  int group = std::max(heads / std::max(kvHeads, 1), 1), bn = lanes(target);
  int most = std::clamp(bn * 64 / std::max(headDim, 1), 1, bn), bh = std::min(group, most);
  while (group % bh)
    --bh;
  int bm = floorPower(std::max(most / 2 / bh, 1));
  return {.bh = bh, .bm = int(std::min<int64_t>(bm, std::max<int64_t>(queries, 1))), .bn = bn};
}

Sizes Attention::sizes() {
  return {{"batch", 1}, {"queries", 1}, {"pages", 64},   {"slots", 64},
          {"heads", 9}, {"kvHeads", 3}, {"headDim", 64}, {"pageSize", 16}};
}

Attention Attention::of(DType dtype, const Sizes &s) {
  return {int(at(s, "heads")), int(at(s, "kvHeads")), int(at(s, "headDim")), int(at(s, "pageSize")), dtype};
}

// Of sequences that fill their slots; a causal mask halves the square of the queries among themselves.
Cost Attention::cost(const Sizes &s) const {
  double batch = double(at(s, "batch")), queries = double(at(s, "queries")), length = double(at(s, "slots")) * pageSize;
  double visible = queries * length - queries * (queries - 1) / 2;
  return {4 * batch * heads * headDim * visible,
          batch * headDim * (2 * length * kvHeads * info(cache).bits / 8 + 2 * queries * heads * 4)};
}

} // namespace tessera::ops
