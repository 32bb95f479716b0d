// What attention does to its scores, and attention in splits, against the oracle.
#include "ops/attention_merge.h"
#include "ops/reference/error.h"
#include "tests/conformance/attention_case.h"
#include "tests/conformance/on_target.h"

using namespace tessera;
using namespace tessera::conformance;
using ops::Attention;
using ops::ScoreOptions;

class AttentionFeatures : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, AttentionFeatures, testing::ValuesIn(runnableTargets()), targetName);

static Attention attention(ScoreOptions score, int split = 0, bool partial = false) {
  return {9, 3, 32, 16, f16, score, split, partial};
}

TEST_P(AttentionFeatures, SlidingWindow) {
  for (int window : {1, 43})
    check(target(), {{9, 3, 64, 16, f16, {.window = window}}, {97, 5, 43}}, 1);
  check(target(), {attention({.window = 43}), {70}}, 37);
}
TEST_P(AttentionFeatures, SoftCap) {
  check(target(), {attention({.softCap = 1}), {54, 20}}, 1);
  check(target(), {attention({.softCap = 50}), {33}}, 17);
}
TEST_P(AttentionFeatures, Alibi) {
  check(target(), {attention({.alibi = true}), {97, 5}}, 1);
  check(target(), {attention({.alibi = true}), {70}}, 37);
}
TEST_P(AttentionFeatures, Sinks) {
  check(target(), {attention({.sinks = true}), {97, 5}}, 1);
  check(target(), {attention({.sinks = true}), {70}}, 37);
  check(target(), {attention({.sinks = true}), {5}}, 8); // queries that see nothing but their sink
}
TEST_P(AttentionFeatures, WithoutAMaskEveryKeyIsSeen) {
  check(target(), {attention({.causal = false}), {54, 20}}, 1);
  check(target(), {attention({.causal = false}), {54, 37}}, 37);
}
TEST_P(AttentionFeatures, AScaleOfItsOwn) { check(target(), {attention({.scale = 0.0625}), {54, 20}}, 5); }
TEST_P(AttentionFeatures, AllAtOnce) {
  ScoreOptions all{.scale = 0.1, .softCap = 30, .alibi = true, .window = 43, .sinks = true};
  check(target(), {attention(all), {97}}, 7);
  check(target(), {{71, 1, 64, 5, bf16, all}, {60}}, 1);
  check(target(), {attention(all, 32), {97, 31}}, 7);
  check(target(), {attention(all, 32, true), {97, 31}}, 1);
}
TEST_P(AttentionFeatures, Splits) {
  for (bool partial : {false, true}) {
    check(target(), {attention({}, 32, partial), {97, 1, 32}}, 1);
    check(target(), {attention({}, 64, partial), {200}}, 9);
    check(target(), {attention({.window = 20}, 32, partial), {97, 33}}, 1);
    check(target(), {attention({.sinks = true}, 32, partial), {97, 33}}, 1);
    check(target(), {attention({}, 32, partial), {5}}, 8); // queries that see nothing
  }
}

// Head sizes of the field and odd ones, groups of any size, pages of any size: nothing is refused.
TEST_P(AttentionFeatures, AnyHeadSizeGroupAndPage) {
  for (int headDim : {8, 104, 256, 576})
    check(target(), {{2, 1, headDim, 16, f16}, {37}}, 2);
  for (int group : {5, 23, 64})
    check(target(), {{2 * group, 2, 16, 16, f16}, {37}}, 1);
  for (int page : {1, 3, 100, 256})
    check(target(), {{3, 3, 24, page, f16}, {130}}, 1);
}

// Keys by columns, where pages are whole blocks and where they are not.
TEST_P(AttentionFeatures, KeyColumns) {
  for (int page : {16, 64, 5}) {
    Attention op{9, 3, 32, page, f16};
    op.keyColumns = true;
    check(target(), {op, {97, 1, 32}}, 1);
    check(target(), {op, {70}}, 37);
  }
}

// Splits are merged to the same bits in one program and by the other kernel, for any number of queries.
TEST_P(AttentionFeatures, SplitsOfTheirOwnGiveTheSameBits) {
  ScoreOptions score{.softCap = 20, .window = 70};
  for (bool sinks : {false, true}) {
    score.sinks = sinks;
    Attention whole = attention(score, 32), parts = attention(score, 32, true);
    for (int64_t queries : {1, 5}) {
      Paged paged = layOut({whole, {150, 33, 5}}, queries);
      EXPECT_EQ(run(target(), whole, paged, whole.defaultConfig(target(), 64)),
                run(target(), parts, paged, parts.defaultConfig(target(), queries)));
    }
  }
}
// A window, a chunk and a page size leave a query's bits alone.
TEST_P(AttentionFeatures, AQueryHasTheSameBitsHoweverItIsServed) {
  Attention op{6, 3, 16, 16, f16, {.softCap = 50, .alibi = true, .window = 21}, 32};
  int32_t length = 90;
  int64_t width = op.heads * op.headDim;
  std::vector<float> whole = run(target(), op, layOut({op, {length}}, length), op.defaultConfig(target()));
  for (int page : {1, 5, 64})
    for (int64_t chunk : {1, 33})
      for (bool partial : {false, true}) {
        Attention other = op;
        other.pageSize = page;
        other.partial = partial;
        other.keyColumns = page == 64;
        for (int32_t end : {50, 90}) {
          std::vector<float> o =
              run(target(), other, layOut({other, {end, 33}}, chunk), other.defaultConfig(target(), chunk));
          ASSERT_TRUE(std::equal(&o[0], &o[0] + chunk * width, &whole[(end - chunk) * width]))
              << "page " << page << " chunk " << chunk << " at " << end << (partial ? " partial" : "");
        }
      }
}

TEST_P(AttentionFeatures, MergeJoinsParts) {
  int64_t batch = 2, queries = 3, heads = 5, splits = 4, d = 24, rows = batch * queries * heads;
  std::vector<float> acc = randomFloats(rows * splits * d, 1), stats(rows * splits * 2);
  std::vector<double> den, top, sink;
  std::vector<float> sinks = randomFloats(heads, 3);
  std::mt19937 random(4);
  for (int64_t i = 0; i < rows * splits; ++i) {
    bool empty = i % 7 == 3;
    stats[2 * i] = empty ? 0.0f : 1.0f + float(random() % 100) / 10;
    stats[2 * i + 1] = empty ? -1e30f : float(int(random() % 60)) - 30;
    for (int64_t e = 0; empty && e < d; ++e)
      acc[i * d + e] = 0;
    den.push_back(stats[2 * i]);
    top.push_back(stats[2 * i + 1]);
  }
  for (int64_t row = 0; row < rows; ++row)
    sink.push_back(sinks[row % heads]);
  for (bool sunk : {false, true}) {
    Argument o = Argument::out(f32, {batch, queries, heads, d});
    ops::AttentionMerge op{int(heads), int(d), 16, sunk};
    std::vector<Argument> arguments{Argument::in(f32, {batch, queries, heads, splits, d}, acc),
                                    Argument::in(f32, {batch, queries, heads, splits, 2}, stats),
                                    Argument::in({batch}, std::vector<int32_t>{64, 49})};
    if (sunk)
      arguments.push_back(Argument::in(f32, {heads}, sinks));
    arguments.push_back(o);
    launch(target(), trace(op, op.defaultConfig(target())), arguments);
    std::vector<double> oracle =
        reference::attentionMerge(splits, d, widen(acc), den, top, sunk ? sink : std::vector<double>{});
    EXPECT_LE(reference::nmse(o.floats(), oracle), 1e-10);
  }
}

TEST(AttentionFeaturesGrid, DISABLED_EveryTarget) {
  const std::vector<const Target *> targets = gridTargets();
  for (auto [queries, length] : {std::pair{1, 213}, {37, 54}, {127, 577}, {64, 800}, {3, 1024}, {799, 3}})
    for (bool causal : {true, false})
      for (int window : {0, 3, 43, 256})
        for (double cap : {0.0, 1.0, 10.0, 30.0, 50.0})
          for (bool alibi : {false, true})
            for (bool sinks : {false, true})
              for (int split : {0, 256})
                check(targets, {{8, 2, 64, 16, f16, {0, cap, alibi, causal, window, sinks}, split}, {length}}, queries);
  for (int32_t length : {1, 54, 512, 2048, 16384})
    check(targets, {attention({}, 512, true), {length}}, 1);
  for (int headDim : {8, 24, 104, 192, 256, 320, 512, 576})
    check(targets, {{2, 1, headDim, 16, f16}, {37}}, 2);
  for (int group : {5, 7, 12, 16, 23, 64})
    check(targets, {{2 * group, 2, 64, 16, f16}, {37}}, 1);
}
