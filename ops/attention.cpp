#include "ops/attention.h"
#include "ops/codes.h"
#include "ops/softmax_state.h"
#include <bit>
#include <cmath>
#include <optional>

namespace tessera::ops {
using namespace dsl;

bool Attention::accepts(Kernel &k, const Config &c) const {
  return k.require(kvHeads > 0 && heads % kvHeads == 0,
                   "attention shares a kv head among equally many heads, but there are " + std::to_string(heads) +
                       " heads for " + std::to_string(kvHeads)) &&
         k.require(split >= 0 && split % (c.bn * c.blocks) == 0,
                   "attention's splits are whole steps of " + std::to_string(c.bn * c.blocks) +
                       " positions, but split is " + std::to_string(split)) &&
         k.require(c.sums >= 0 && (!c.sums || c.bn % c.sums == 0),
                   "attention's " + std::to_string(c.bn) + " weights a row are added up in equal parts, not in " +
                       std::to_string(c.sums)) &&
         k.require(!partial || (split > 0 && !score.sinks),
                   "attention in parts takes a split and leaves sinks to attention_merge") &&
         k.require(compute == f32 || compute == f16 || compute == bf16,
                   "attention computes in f32, f16 or bf16, not in " + std::string(tessera::name(compute))) &&
         k.require(!codeGroup || (headDim % codeGroup == 0 && !partial),
                   "attention leaves a head's " + std::to_string(headDim) + " values in whole groups of " +
                       std::to_string(codeGroup) + ", and parts leave none");
}

// O = softmax(f(q · kᵀ)) · v with K and V in pages. One program owns bm queries of bh heads that share a kv head: their
// rows are stacked, so a key is read once for all of them. The softmax is rescaled as its maximum grows (Dao,
// FlashAttention-2, arXiv 2307.08691), and begins anew at every multiple of `split`.
void Attention::define(Kernel &k, const Config &c) const {
  if (!accepts(k, c))
    return;
  int64_t group = heads / kvHeads, rows = c.bm * c.bh, d = headDim;
  auto [batch, queries, pages, slots] = k.dims("batch", "queries", "pages", "slots");
  Tensor q = k.in("q", compute, {batch, queries, heads, d});
  Tensor K =
      keyColumns ? k.in("K", cache, {pages, kvHeads, d, pageSize}) : k.in("K", cache, {pages, kvHeads, pageSize, d});
  Tensor V = k.in("V", cache, {pages, kvHeads, pageSize, d});
  Tensor table = k.in("table", i32, {batch, slots});
  Tensor length = k.in("length", i32, {batch});
  Tensor slopes = score.alibi ? k.in("slopes", f32, {heads}) : Tensor();
  Tensor sinks = score.sinks ? k.in("sinks", f32, {heads}) : Tensor();
  Size splits = partial ? Size(k.dims("splits")) : Size(1);
  std::optional<HeadOutput> o;
  if (!partial)
    o.emplace(k, std::array<Size, 3>{batch, queries, heads}, headDim, codeGroup, compute);
  Tensor acc = partial ? k.out("acc", f32, {batch, queries, heads, splits, d}) : Tensor();
  Tensor stats = partial ? k.out("stats", f32, {batch, queries, heads, splits, 2}) : Tensor();

  auto [b, kvHead, part, inGroup, m] =
      k.parallel(each(batch), each(kvHeads), each(splits), blocks(group, c.bh), blocks(queries, c.bm));
  Range h = inGroup + kvHead * group;
  Tile len = load(length(b));
  Tile first = m.origin + (len - queries); // position of the block's first query
  Tile position = reshape(iota(rows), {rows, 1}) / c.bh + first;
  Tile query = reshape(load(q(b, m, h, all)), {rows, d});
  auto ofHead = [&](const Tensor &x) { return reshape(load(x(h)) + zeros({c.bm, c.bh}), {rows, 1}); };
  Tile slope = score.alibi ? ofHead(slopes) : Tile();

  // The block's queries see positions in [begin, end), of which a step may start earlier.
  Tile end = max(score.causal ? min(len, first + c.bm) : len, 0);
  Tile begin = score.window ? max(first - (score.window - 1), 0) : full({}, 0, i32);

  // Scores [rows, bn]: `inBase2` of them are in base 2, which the exponent takes unrounded (fma). A masked score is
  // -inf and the running maximum finite, so a wholly masked step changes nothing, not even a bit.
  double scale = score.scale ? score.scale : 1 / std::sqrt(double(d));
  bool plain = !score.softCap && !score.alibi && scale > 0;
  double inBase2 = plain ? scale * log2e : log2e;
  auto scores = [&](Tile product, Tile key) {
    Tile s = plain           ? product
             : score.softCap ? tanh(product * (scale / score.softCap)) * score.softCap
                             : product * scale;
    if (score.alibi)
      s = s - slope * (position - key).to(f32);
    Tile visible = score.causal ? key <= position : key < len;
    if (score.window)
      visible = visible & (position - key < score.window);
    return where(visible, s, -infinity);
  };
  // The keys [d, bn] and values [bn, d] of a block. Where a block lies in one page it reads memory as it stands.
  auto keysAndValues = [&](Range s) -> std::pair<Tile, Tile> {
    if (pageSize % c.bn == 0) {
      Tile page = load(table(b, min(s.origin / pageSize, slots - 1))); // blocks past the end are masked, not read
      Range slot = s + (s.origin % pageSize - s.origin);
      Tile key = keyColumns ? load(K(page, kvHead, all, slot)).to(compute)
                            : trans(load(K(page, kvHead, slot, all)).to(compute));
      return {key, load(V(page, kvHead, slot, all)).to(compute)};
    }
    Tile page = load(table(b, s.pos() / pageSize), s.pos() < len), slot = s.pos() % pageSize;
    Tile key = load(keyColumns ? K(page, kvHead, all, slot) : K(page, kvHead, slot, all), s.col() < len).to(compute);
    return {trans(key), load(V(page, kvHead, slot, all), s.col() < len).to(compute)};
  };
  // den is kept lane by lane, [rows, sums]: what lies side by side in a vector or in a warp is added at the end.
  int64_t sums = c.sums ? c.sums : c.bn;
  auto weights = [&](Tile p) {
    return sums == c.bn ? p : reshape(reduceSum(reshape(p, {rows, c.bn / sums, sums}), 1), {rows, sums});
  };
  // Several blocks at once, so that their products are independent.
  auto step = [&](Range s, const SoftmaxState &seen) -> SoftmaxState {
    std::vector<Tile> score, value;
    Tile top = seen[2];
    for (int i = 0; i < c.blocks; ++i) {
      Range block(s.origin + i * c.bn, s.bound, c.bn, s.limit);
      auto [key, v] = keysAndValues(block);
      value.push_back(v);
      score.push_back(scores(dot(query, key), block.row()));
    }
    for (const Tile &s : score)
      top = max(top, reduceMax(s, 1) * inBase2);
    Tile keep = exp2(seen[2] - top), acc = seen[0] * keep, den = seen[1] * keep;
    for (int i = 0; i < c.blocks; ++i) {
      Tile p = exp2(fma(score[i], inBase2, -top));
      acc = dot(p.to(compute), value[i], acc);
      den = den + weights(p);
    }
    return {acc, den, top};
  };
  // All of [from, to) from nothing, in steps from multiples of bn.
  auto attend = [&](Tile from, Tile to) -> SoftmaxState {
    int64_t most = c.bn * c.blocks;
    Tile aligned = from / most * most;
    SoftmaxState start = nothingSeen(rows, d);
    start[1] = zeros({rows, sums});
    auto [acc, den, top] =
        loop(dsl::blocks(max(to - aligned, 0), most), start, [&](Range s, Tile acc, Tile den, Tile top) {
          return step(score.window || split ? s + aligned : s, {acc, den, top});
        });
    return {acc, reduceSum(den, 1), top};
  };

  if (partial) {
    Tile from = part.to(i32) * split;
    SoftmaxState seen = attend(max(from, begin), min(from + split, end));
    store(acc(b, m, h, part, all), reshape(seen[0], {c.bm, c.bh, d}));
    store(stats(b, m, h, part, 0), reshape(seen[1], {c.bm, c.bh}));
    store(stats(b, m, h, part, 1), reshape(seen[2], {c.bm, c.bh}));
    return;
  }
  SoftmaxState total = nothingSeen(rows, d);
  if (score.sinks)
    total = {total[0], full({rows, 1}, 1.0), max(ofHead(sinks) * log2e, lowest)};
  if (split) {
    Tile origin = begin / split * split;
    total = loop(dsl::blocks(max(end - origin, 0), split), total, [&](Range s, Tile acc, Tile den, Tile top) {
      Tile from = s.origin.to(i32) + origin;
      return merged({acc, den, top}, attend(max(from, begin), min(from + split, end)));
    });
  } else {
    SoftmaxState all = attend(begin, end);
    total = score.sinks ? merged(total, all) : all;
  }
  o->store(b, m, h, reshape(mean(total), {c.bm, c.bh, d}));
}

// Rows in sixteens. The sums of a row are those of a warp's accumulators, four threads with two columns each. Few
// queries stack the heads of a group, even if some rows then have none; many take a head alone, 16 rows for each of
// four warps, which leaves registers for a head of 128. Where wgmma takes the head, two warpgroups share their keys:
// modelled on an h100, 2048 queries of 16 heads of 128 take 38.5 us instead of 57.4. A program that merges its own
// splits holds its sums `twice`: 16 rows of a head of 256 then, for 32 spill 240 bytes.
static Attention::Config onTensorCores(const Target &target, int group, int headDim, int64_t queries, bool twice) {
  if (queries >= 128 && target.has("wgmma") && headDim >= 64 && headDim <= 128 && headDim % 16 == 0)
    return {.bh = 1, .bm = 128, .bn = 64, .blocks = 1, .sums = 8};
  int bh = queries >= 32 ? 1 : int(std::min<int64_t>(std::bit_ceil(unsigned(group)), 16));
  int rows = queries >= 64 && headDim <= 128 ? 64 : queries >= 32 && !(twice && headDim > 192) ? 32 : 16;
  return {.bh = bh, .bm = rows / bh, .bn = headDim <= 64 ? 64 : 32, .blocks = 1, .sums = 8};
}

// Scores [rows, bn] are one vector a row. Heads are stacked up to as many rows as lanes, queries up to half of that:
// more rows spill, and the code grows with rows · bn · headDim (measured at 9/3 heads of 64). Two blocks a step would
// decode 8 to 18 % faster, but round otherwise: see docs/design/0005-operators.md.
Attention::Config Attention::defaultConfig(const Target &target, int64_t queries) const {
  int group = std::max(heads / std::max(kvHeads, 1), 1), bn = lanes(target);
  if (target.vendor != Vendor::cpu && (compute == f16 || (compute == bf16 && target.has("bf16"))))
    return onTensorCores(target, group, headDim, queries, split && !partial);
  if (target.vendor != Vendor::cpu)
    bn = 32;
  int most = std::clamp(bn * 64 / std::max(headDim, 1), 1, bn);
  // Rows that are no power of two are whole in every thread of a GPU, which takes 1024 words of a tile.
  int together = target.vendor == Vendor::cpu ? most : std::clamp(1024 / std::max(headDim, 1), 1, most);
  int parts = (group + together - 1) / together, bh = (group + parts - 1) / parts; // nearly equal parts
  int bm = floorPower(std::max(most / 2 / bh, 1));
  if (target.vendor != Vendor::cpu && split && !partial && headDim >= 128 && queries >= 16) {
    // Two sums, a part's and all parts'. Of the rows that spill nothing, those that were fastest (modelled): 8 of a
    // head above 192, and 2 of a shorter one where heads are a power of two; of 128 as many as others, but 16 where f32
    // is read for a power of two of heads, and fewer where bf16 is widened by hand for another number.
    const bool power = std::has_single_bit(unsigned(bh)), widened = cache == bf16 && !target.has("bf16");
    if (headDim > 192)
      bh = 1, bm = 8;
    else if (power && headDim > 128)
      bh = std::min(bh, 2), bm = 2 / bh;
    else if (power && cache == f32)
      bm = std::max(16 / bh, 1);
    else if (!power && widened)
      bh = std::min(bh, 3), bm = std::max(bm / 2, 1);
  }
  int64_t few = std::max<int64_t>(queries, 1);
  if (target.vendor != Vendor::cpu)
    few = int64_t(std::bit_ceil(uint64_t(few)));
  return {.bh = bh, .bm = int(std::min<int64_t>(bm, few)), .bn = bn, .blocks = 1};
}

Sizes Attention::sizes() {
  return {{"batch", 1},   {"queries", 1},    {"pages", 64},    {"slots", 64},  {"heads", 9},
          {"kvHeads", 3}, {"headDim", 64},   {"pageSize", 16}, {"softCap", 0}, {"alibi", 0},
          {"causal", 1},  {"window", 0},     {"sinks", 0},     {"split", 0},   {"partial", 0},
          {"splits", 1},  {"keyColumns", 0}, {"f16", 0},       {"bf16", 0},    {"codeGroup", 0}};
}

Attention Attention::of(DType dtype, const Sizes &s) {
  ScoreOptions score{.softCap = double(at(s, "softCap")),
                     .alibi = at(s, "alibi") != 0,
                     .causal = at(s, "causal") != 0,
                     .window = int(at(s, "window")),
                     .sinks = at(s, "sinks") != 0};
  return {int(at(s, "heads")),
          int(at(s, "kvHeads")),
          int(at(s, "headDim")),
          int(at(s, "pageSize")),
          dtype,
          score,
          int(at(s, "split")),
          at(s, "partial") != 0,
          at(s, "keyColumns") != 0,
          at(s, "f16")    ? f16
          : at(s, "bf16") ? bf16
                          : f32,
          int(at(s, "codeGroup"))};
}

// Of sequences that fill their slots; a causal mask halves the square of the queries among themselves, and a window
// leaves a query its width.
Cost Attention::cost(const Sizes &s) const {
  double batch = double(at(s, "batch")), queries = double(at(s, "queries")), length = double(at(s, "slots")) * pageSize;
  double visible = queries * length - (score.causal ? queries * (queries - 1) / 2 : 0), read = length;
  if (score.window) {
    visible = std::min(visible, queries * score.window);
    read = std::min(read, queries + score.window - 1);
  }
  double out = partial ? double(at(s, "splits")) * (headDim + 2) : headDim;
  return {4 * batch * heads * headDim * visible,
          batch *
              (headDim * 2 * read * kvHeads * info(cache).bits / 8 +
               queries * heads * (headDim * info(compute).bits / 8 + out * (partial ? 4 : info(compute).bits / 8)))};
}

} // namespace tessera::ops
