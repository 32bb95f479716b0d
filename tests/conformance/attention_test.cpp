// Attention over a paged cache against its oracle: ragged shapes, scattered pages, NaN in every unused slot.
#include "tests/conformance/attention_case.h"
#include "tests/conformance/on_target.h"

using namespace tessera;
using namespace tessera::conformance;
using ops::Attention;

class AttentionTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, AttentionTest, testing::ValuesIn(runnableTargets()), targetName);

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
// q, o and the products' operands in f16 or bf16: what tensor cores take.
TEST_P(AttentionTest, ComputesInHalves) {
  for (DType compute : {f16, bf16}) {
    auto in = [&](ops::Attention op) {
      op.compute = compute;
      return op;
    };
    check(target(), {in({9, 3, 64, 16, compute}), {54, 1, 16, 97}}, 1);
    if (target().vendor == Vendor::cpu || (compute == bf16 && !target().has("bf16"))) // widened, then as in f32
      continue;
    check(target(), {in({9, 3, 64, 16, compute}), {70}}, 66);
    check(target(), {in({4, 1, 80, 32, compute}), {41, 33}}, 17);
    check(target(), {in({2, 2, 128, 64, f32}), {70, 90}}, 33);
    check(target(), {in({9, 3, 64, 16, compute, {}, 64, /*partial=*/true}), {150, 40}}, 1);
  }
}
TEST_P(AttentionTest, AQueryBeforeTheSequenceGivesZeros) {
  Sequences s{{9, 3, 64, 16, f16}, {5, 20}};
  check(target(), s, 8);
  Paged paged = layOut(s, 8);
  std::vector<float> o = run(target(), s.op, paged, s.op.defaultConfig(target(), 8));
  EXPECT_EQ(std::vector<float>(o.begin(), o.begin() + 3 * 9 * 64), std::vector<float>(3 * 9 * 64, 0.0f));
}

// The whole grid, on every target at once: its oracle is what takes long.
static void checkGrid(std::span<const Target *const> targets, DType compute) {
  auto op = [&](int heads, int kvHeads, int headDim, int page) {
    Attention made{heads, kvHeads, headDim, page, f16};
    made.compute = compute;
    return made;
  };
  for (auto [heads, kvHeads] : {std::pair{4, 4}, {32, 4}, {9, 3}, {14, 2}, {32, 8}, {64, 8}, {71, 1}})
    for (int headDim : {64, 80, 96, 112, 128, 256})
      for (int page : {1, 8, 16})
        for (int32_t length : {1, 54, 97, 512})
          check(targets, {op(heads, kvHeads, headDim, page), {length, (length + 1) / 2}}, 1);
  for (int32_t length : {2048, 16384})
    check(targets, {op(9, 3, 64, 16), {length}}, 1);
  for (size_t batch : {12, 17, 128})
    check(targets, {op(9, 3, 64, 16), std::vector<int32_t>(batch, 54)}, 1);
  for (auto [queries, length] :
       {std::pair{1, 213}, {1, 7812}, {37, 54}, {127, 577}, {577, 577}, {64, 800}, {3, 1024}, {799, 3}})
    check(targets, {op(9, 3, 64, 16), {length}}, queries);
  for (int headDim : {80, 96, 112, 128, 256})
    check(targets, {op(9, 3, headDim, 16), {137}}, 67);
}
TEST(AttentionGrid, DISABLED_InF32) { checkGrid(gridTargets(), f32); }
// CPUs widen halves, and T4 bf16: then it is the grid in f32.
TEST(AttentionGrid, DISABLED_InHalves) {
  for (DType compute : {f16, bf16}) {
    std::vector<const Target *> targets = gridTargets();
    std::erase_if(targets, [&](const Target *row) {
      return row->vendor == Vendor::cpu || (compute == bf16 && !row->has("bf16"));
    });
    checkGrid(targets, compute);
  }
}

// The same query has the same bits alone or among others, in any chunk, for any page size and blocking of queries.
TEST_P(AttentionTest, AQueryHasTheSameBitsHoweverItIsServed) {
  ops::Attention op{6, 3, 40, 16, f16};
  auto config = [&](int bh, int bm) {
    ops::Attention::Config config = op.defaultConfig(target());
    config.bh = bh, config.bm = bm;
    return config;
  };
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
    paged.keyColumns = page == 64;
    for (int32_t end : {1, 16, 17, 33, 45}) {
      std::vector<float> one = run(target(), paged, layOut({paged, {end, 9}}, 1), config(2, 1));
      ASSERT_TRUE(same(one, 0, end - 1)) << "page " << page << ", decoding at " << end;
    }
    std::vector<float> chunk = run(target(), paged, layOut({paged, {30, 11}}, 11), config(2, 2));
    for (int64_t i = 0; i < 11; ++i)
      ASSERT_TRUE(same(chunk, i, 19 + i)) << "page " << page << ", query " << i << " of a chunk";
  }
}
