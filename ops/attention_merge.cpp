#include "ops/attention_merge.h"
#include "ops/codes.h"
#include "ops/softmax_state.h"

namespace tessera::ops {
using namespace dsl;

// One program owns bh heads of one query.
void AttentionMerge::define(Kernel &k, const Config &c) const {
  if (!k.require(split > 0, "attention_merge joins splits of at least one position, not " + std::to_string(split)) ||
      !k.require(!codeGroup || headDim % codeGroup == 0, "attention_merge leaves whole groups of a head's " +
                                                             std::to_string(headDim) + " values, not of " +
                                                             std::to_string(codeGroup)))
    return;
  auto [batch, queries, splits] = k.dims("batch", "queries", "splits");
  Tensor acc = k.in("acc", f32, {batch, queries, heads, splits, headDim});
  Tensor stats = k.in("stats", f32, {batch, queries, heads, splits, 2});
  Tensor length = k.in("length", i32, {batch});
  Tensor sink = sinks ? k.in("sinks", f32, {heads}) : Tensor();
  HeadOutput o(k, {batch, queries, heads}, headDim, codeGroup);

  auto [b, i, h] = k.parallel(each(batch), each(queries), blocks(heads, c.bh));
  SoftmaxState total = nothingSeen(c.bh, headDim);
  if (sinks)
    total = {total[0], full({c.bh, 1}, 1.0), max(reshape(load(sink(h)), {c.bh, 1}) * log2e, lowest)};
  Tile used = (load(length(b)) + (split - 1)) / split;
  total = loop(each(used), total, [&](Tile s, Tile weighted, Tile den, Tile top) {
    auto stat = [&](int which) { return reshape(load(stats(b, i, h, s, which)), {c.bh, 1}); };
    return merged({weighted, den, top}, {load(acc(b, i, h, s, all)), stat(0), stat(1)});
  });
  o.store(b, i, h, mean(total));
}

Sizes AttentionMerge::sizes() {
  return {{"batch", 1},    {"queries", 1}, {"splits", 16}, {"heads", 9},
          {"headDim", 64}, {"split", 512}, {"sinks", 0},   {"codeGroup", 0}};
}

AttentionMerge AttentionMerge::of(DType, const Sizes &s) {
  return {int(at(s, "heads")), int(at(s, "headDim")), int(at(s, "split")), at(s, "sinks") != 0,
          int(at(s, "codeGroup"))};
}

Cost AttentionMerge::cost(const Sizes &s) const {
  double rows = double(at(s, "batch")) * double(at(s, "queries")) * heads, splits = double(at(s, "splits"));
  return {3 * rows * splits * headDim, rows * 4 * (splits * (headDim + 2) + headDim)};
}

} // namespace tessera::ops
