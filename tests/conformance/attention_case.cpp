#include "tests/conformance/attention_case.h"
#include "ops/attention_merge.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

namespace tessera::conformance {

std::vector<float> Sequences::vector(int64_t b, int64_t p, int64_t head, uint32_t kind) const {
  return randomFloats(op.headDim, uint32_t(((b * 40503 + p) * 977 + head) * 3 + kind));
}

Paged layOut(const Sequences &s, int64_t queries) {
  const ops::Attention &op = s.op;
  int64_t batch = int64_t(s.lengths.size()), size = op.pageSize, d = op.headDim;
  int64_t slots = (*std::ranges::max_element(s.lengths) + size - 1) / size + 2, pages = 2 * batch * slots;
  Paged paged{{batch, queries, op.heads, slots, {pages, op.kvHeads, size, d}}, {}, {}, {}, {}, s.lengths};
  std::vector<int32_t> order(pages);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(uint32_t(size)));
  paged.k.assign(pages * op.kvHeads * size * d, NAN);
  paged.v = paged.k;
  paged.table.assign(batch * slots, 0x7fffffff);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t p = 0; p < s.lengths[b]; ++p) {
      int32_t page = paged.table[b * slots + p / size] = order[b * slots + p / size];
      for (int64_t h = 0; h < op.kvHeads; ++h) {
        int64_t at = ((page * op.kvHeads + h) * size + p % size) * d;
        std::ranges::copy(s.vector(b, p, h, 1), &paged.k[at]);
        std::ranges::copy(s.vector(b, p, h, 2), &paged.v[at]);
      }
    }
    for (int64_t i = 0; i < queries; ++i)
      for (int64_t h = 0; h < op.heads; ++h)
        std::ranges::copy(s.vector(b, s.lengths[b] - queries + i, h, 0), std::back_inserter(paged.q));
  }
  return paged;
}

std::vector<float> slopesOf(const ops::Attention &op) {
  std::vector<double> slopes = reference::alibiSlopes(op.heads);
  return {slopes.begin(), slopes.end()};
}
std::vector<float> sinksOf(const ops::Attention &op) { return randomFloats(op.heads, 77, 2); }

// K as the op wants it: each page of each head [pageSize, headDim], or its columns if keyColumns.
static Argument keys(const ops::Attention &op, const Paged &p) {
  const reference::CacheShape &c = p.shape.cache;
  if (!op.keyColumns)
    return Argument::in(op.cache, {c.pages, c.kvHeads, c.pageSize, c.headDim}, p.k);
  std::vector<float> columns(p.k.size());
  for (int64_t page = 0; page < c.pages * c.kvHeads; ++page)
    for (int64_t i = 0; i < c.pageSize; ++i)
      for (int64_t e = 0; e < c.headDim; ++e)
        columns[(page * c.headDim + e) * c.pageSize + i] = p.k[(page * c.pageSize + i) * c.headDim + e];
  return Argument::in(op.cache, {c.pages, c.kvHeads, c.headDim, c.pageSize}, columns);
}

// Launches the op, or its parts and their merge, with `outputs` for what it leaves.
static void runInto(const Target &target, const ops::Attention &op, const Paged &p, ops::Attention::Config config,
                    const std::vector<Argument> &outputs) {
  const auto &[batch, queries, heads, slots, cache] = p.shape;
  Shape pages{cache.pages, cache.kvHeads, cache.pageSize, cache.headDim};
  std::vector<Argument> arguments{Argument::in(op.compute, {batch, queries, heads, cache.headDim}, p.q), keys(op, p),
                                  Argument::in(op.cache, pages, p.v), Argument::in({batch, slots}, p.table),
                                  Argument::in({batch}, p.length)};
  if (op.score.alibi)
    arguments.push_back(Argument::in(f32, {heads}, slopesOf(op)));
  ops::Attention kernel = op;
  if (op.partial)
    kernel.score.sinks = false, kernel.codeGroup = 0;
  else if (op.score.sinks)
    arguments.push_back(Argument::in(f32, {heads}, sinksOf(op)));
  if (!op.partial) {
    arguments.insert(arguments.end(), outputs.begin(), outputs.end());
    launch(target, trace(kernel, config), arguments);
    return;
  }
  int64_t splits = *std::ranges::max_element(p.length) / op.split + 2; // one or two that are empty
  Argument acc = Argument::out(f32, {batch, queries, heads, splits, cache.headDim}),
           stats = Argument::out(f32, {batch, queries, heads, splits, 2});
  arguments.insert(arguments.end(), {acc, stats});
  launch(target, trace(kernel, config), arguments);
  ops::AttentionMerge merge{op.heads, op.headDim, op.split, op.score.sinks, op.codeGroup};
  std::vector<Argument> parts{acc, stats, arguments[4]};
  if (op.score.sinks)
    parts.push_back(Argument::in(f32, {heads}, sinksOf(op)));
  parts.insert(parts.end(), outputs.begin(), outputs.end());
  launch(target, trace(merge, merge.defaultConfig(target)), parts);
}

std::vector<float> run(const Target &target, const ops::Attention &op, const Paged &p, ops::Attention::Config config) {
  Argument o = Argument::out(op.partial ? f32 : op.compute,
                             {p.shape.batch, p.shape.queries, p.shape.heads, p.shape.cache.headDim});
  runInto(target, op, p, config, {o});
  return o.floats();
}

reference::Quantized runCodes(const Target &target, const ops::Attention &op, const Paged &p,
                              ops::Attention::Config config) {
  Shape shape{p.shape.batch, p.shape.queries, p.shape.heads, op.headDim}, groups = shape;
  groups.back() /= op.codeGroup;
  Argument codes = Argument::out(i8, shape), scale = Argument::out(f32, groups), sum = Argument::out(i32, groups);
  runInto(target, op, p, config, {codes, scale, sum});
  return {codes.as<int8_t>(), scale.floats(), sum.as<int32_t>(), {}};
}

static std::string describe(const Sequences &s, int64_t queries) {
  const ops::ScoreOptions &f = s.op.score;
  return std::to_string(s.op.heads) + "/" + std::to_string(s.op.kvHeads) + " d=" + std::to_string(s.op.headDim) +
         " page=" + std::to_string(s.op.pageSize) + " batch=" + std::to_string(s.lengths.size()) +
         " kv=" + std::to_string(s.lengths[0]) + " q=" + std::to_string(queries) + " " + std::string(name(s.op.cache)) +
         " cap=" + std::to_string(f.softCap) + " window=" + std::to_string(f.window) + (f.alibi ? " alibi" : "") +
         (f.sinks ? " sinks" : "") + (f.causal ? "" : " not causal") + " split=" + std::to_string(s.op.split) +
         (s.op.partial ? " partial" : "") + (s.op.keyColumns ? " columns" : "") + " in " +
         std::string(name(s.op.compute));
}

void check(std::span<const Target *const> targets, const Sequences &s, int64_t queries) {
  Paged paged = layOut(s, queries);
  DType compute = s.op.compute;
  auto rounded = [](DType dtype, const std::vector<float> &x) {
    return reference::decode(dtype, reference::encode(dtype, x));
  };
  auto stored = [&](const std::vector<float> &x) { return widen(rounded(compute, rounded(s.op.cache, x))); };
  std::vector<double> q = widen(rounded(compute, paged.q)), k = stored(paged.k), v = stored(paged.v);
  const ops::ScoreOptions &f = s.op.score;
  reference::Scores scores{f.scale, f.softCap, f.causal, f.window, {}, {}};
  if (f.alibi)
    scores.slopes = widen(slopesOf(s.op));
  if (f.sinks)
    scores.sinks = widen(sinksOf(s.op));
  std::vector<double> oracle = reference::attention<double>(paged.shape, q, k, v, paged.table, paged.length, scores);
  std::vector<float> low = reference::attention<float>(paged.shape, q, k, v, paged.table, paged.length, scores);
  // In f16 and bf16 the weights and the output are rounded once each: 2^-11 and 2^-8 of themselves at most.
  low = rounded(s.op.partial ? f32 : compute, low);
  const double bound = reference::adaptiveBound(low, oracle, f.softCap ? 3 : 2, compute);
  for (const Target *target : targets) {
    std::vector<float> o = run(*target, s.op, paged, s.op.defaultConfig(*target, queries));
    EXPECT_LE(reference::nmse(o, oracle), compute == f32   ? 1e-10
                                          : compute == f16 ? 1e-6
                                                           : 1e-5)
        << target->name << " " << describe(s, queries);
    EXPECT_LE(reference::maxError(o, oracle), bound) << target->name << " " << describe(s, queries);
  }
}

void check(const Target &target, const Sequences &s, int64_t queries) { check(std::array{&target}, s, queries); }

} // namespace tessera::conformance
