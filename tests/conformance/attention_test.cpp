// Attention over a paged cache against its oracle: ragged shapes, scattered pages, NaN in every unused slot.
#include "ops/attention.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "tests/conformance/on_target.h"
#include <numeric>

using namespace tessera;
using namespace tessera::conformance;

class AttentionTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, AttentionTest, testing::ValuesIn(runnableTargets()), targetName);

// Sequences of given lengths; position p of sequence b has the same q, k and v whatever the pages are.
struct Sequences {
  ops::Attention op;
  std::vector<int32_t> lengths;

  std::vector<float> vector(int64_t b, int64_t p, int64_t head, uint32_t kind) const {
    return randomFloats(op.headDim, uint32_t(((b * 40503 + p) * 977 + head) * 3 + kind));
  }
};

// What a scheduler would hand to the kernel: pages in random order with gaps, NaN wherever nothing was written, and
// table entries past a sequence's pages that would fault if they were followed.
struct Paged {
  reference::AttentionShape shape;
  std::vector<float> q, k, v;
  std::vector<int32_t> table, length;
};
static Paged layOut(const Sequences &s, int64_t queries) {
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

static std::vector<float> run(const Target &target, const ops::Attention &op, const Paged &p,
                              ops::Attention::Config config) {
  const auto &[batch, queries, heads, slots, cache] = p.shape;
  Shape pages{cache.pages, cache.kvHeads, cache.pageSize, cache.headDim};
  Argument o = Argument::out(f32, {batch, queries, heads, cache.headDim});
  launch(target, trace(op, config),
         {Argument::in(f32, {batch, queries, heads, cache.headDim}, p.q), Argument::in(op.cache, pages, p.k),
          Argument::in(op.cache, pages, p.v), Argument::in({batch, slots}, p.table), Argument::in({batch}, p.length),
          o});
  return o.floats();
}

static void check(const Target &target, const Sequences &s, int64_t queries) {
  Paged paged = layOut(s, queries);
  std::vector<float> o = run(target, s.op, paged, s.op.defaultConfig(target, queries));
  auto stored = [&](const std::vector<float> &x) {
    return widen(reference::decode(s.op.cache, reference::encode(s.op.cache, x)));
  };
  std::vector<double> q = widen(paged.q), k = stored(paged.k), v = stored(paged.v);
  std::vector<double> oracle = reference::attention<double>(paged.shape, q, k, v, paged.table, paged.length);
  std::vector<float> low = reference::attention<float>(paged.shape, q, k, v, paged.table, paged.length);
  std::string what = std::to_string(s.op.heads) + "/" + std::to_string(s.op.kvHeads) +
                     " d=" + std::to_string(s.op.headDim) + " page=" + std::to_string(s.op.pageSize) +
                     " batch=" + std::to_string(s.lengths.size()) + " kv=" + std::to_string(s.lengths[0]) +
                     " q=" + std::to_string(queries) + " " + std::string(name(s.op.cache));
  EXPECT_LE(reference::nmse(o, oracle), 1e-10) << what;
  EXPECT_LE(reference::maxError(o, oracle), reference::adaptiveBound(low, oracle)) << what;
}

TEST_P(AttentionTest, DecodesOneTokenASequence) {
  check(target(), {{9, 3, 64, 16, f16}, {54, 1, 16, 97}}, 1);
  check(target(), {{4, 4, 64, 1, f16}, {33, 5}}, 1);
  check(target(), {{14, 2, 80, 8, f16}, {40}}, 1);
  check(target(), {{8, 2, 128, 16, f32}, {21}}, 1);
  check(target(), {{3, 1, 40, 5, bf16}, {18}}, 1);
  check(target(), {{17, 1, 64, 16, f16}, {33}}, 1); // more heads a kv head than rows a program
}
TEST_P(AttentionTest, PrefillsAndAppends) {
  check(target(), {{9, 3, 64, 16, f16}, {54}}, 37);
  check(target(), {{9, 3, 64, 16, f16}, {31, 45}}, 31);
  check(target(), {{4, 4, 72, 8, f16}, {19}}, 3);
  check(target(), {{6, 1, 96, 1, f32}, {17}}, 17);
}
TEST_P(AttentionTest, AQueryBeforeTheSequenceGivesZeros) {
  Sequences s{{9, 3, 64, 16, f16}, {5, 20}};
  check(target(), s, 8);
  Paged paged = layOut(s, 8);
  std::vector<float> o = run(target(), s.op, paged, s.op.defaultConfig(target(), 8));
  EXPECT_EQ(std::vector<float>(o.begin(), o.begin() + 3 * 9 * 64), std::vector<float>(3 * 9 * 64, 0.0f));
}

TEST_P(AttentionTest, DISABLED_FullGrid) {
  for (auto [heads, kvHeads] : {std::pair{4, 4}, {32, 4}, {9, 3}, {14, 2}, {32, 8}, {64, 8}, {71, 1}})
    for (int headDim : {64, 80, 96, 112, 128, 256})
      for (int page : {1, 8, 16})
        for (int32_t length : {1, 54, 97, 512})
          check(target(), {{heads, kvHeads, headDim, page, f16}, {length, (length + 1) / 2}}, 1);
  for (int32_t length : {2048, 16384})
    check(target(), {{9, 3, 64, 16, f16}, {length}}, 1);
  for (size_t batch : {12, 17, 128})
    check(target(), {{9, 3, 64, 16, f16}, std::vector<int32_t>(batch, 54)}, 1);
  for (auto [queries, length] : {std::pair{1, 213}, {1, 7812}, {37, 54}, {127, 577}, {577, 577}, {64, 800}, {3, 1024}})
    check(target(), {{9, 3, 64, 16, f16}, {length}}, queries);
}

// The same query has the same bits alone or among others, in any chunk, for any page size and blocking of queries.
TEST_P(AttentionTest, AQueryHasTheSameBitsHoweverItIsServed) {
  ops::Attention op{6, 3, 40, 16, f16};
  int bn = op.defaultConfig(target()).bn;
  auto config = [&](int bh, int bm) { return ops::Attention::Config{bh, bm, bn}; };
  int32_t length = 45;
  int64_t width = op.heads * op.headDim;
  std::vector<float> whole = run(target(), op, layOut({op, {length}}, length), config(2, 1));
  auto same = [&](const std::vector<float> &o, int64_t row, int64_t position) {
    return std::equal(&o[row * width], &o[row * width] + width, &whole[position * width]);
  };
  for (auto [bh, bm] : {std::pair{1, 1}, {1, 3}, {2, 2}}) {
    std::vector<float> o = run(target(), op, layOut({op, {length}}, length), config(bh, bm));
    for (int64_t p = 0; p < length; ++p)
      ASSERT_TRUE(same(o, p, p)) << "bh=" << bh << " bm=" << bm << " position " << p;
  }
  for (int page : {1, 7, 64}) {
    ops::Attention paged = op;
    paged.pageSize = page;
    for (int32_t end : {1, 16, 17, 33, 45}) {
      std::vector<float> one = run(target(), paged, layOut({paged, {end, 9}}, 1), config(2, 1));
      ASSERT_TRUE(same(one, 0, end - 1)) << "page " << page << ", decoding at " << end;
    }
    std::vector<float> chunk = run(target(), paged, layOut({paged, {30, 11}}, 11), config(2, 2));
    for (int64_t i = 0; i < 11; ++i)
      ASSERT_TRUE(same(chunk, i, 19 + i)) << "page " << page << ", query " << i << " of a chunk";
  }
}
