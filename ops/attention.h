// Attention: softmax attention over a paged cache, for prefill, append and decode, whole or in splits.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// What is done to the scores, in this order: scale, soft cap, ALiBi, mask, sinks.
struct ScoreOptions {
  double scale = 0;   // 0: 1 / sqrt(headDim)
  double softCap = 0; // score = cap · tanh(score / cap); 0: none
  bool alibi = false; // score -= slopes[head] · (query's position - key's position)
  bool causal = true; // keys up to the query's own position only
  int window = 0;     // only the last `window` positions up to the query's, itself included; 0: all
  bool sinks = false; // one more score a head, sinks[head], which takes weight and has no value
};

// Arguments in launch order: q of `compute` [batch, queries, heads, headDim]; K, V of `cache` [pages, kvHeads,
// pageSize, headDim]; table i32 [batch, slots]; length i32 [batch]; slopes f32 [heads] if alibi; sinks f32 [heads] if
// sinks; then
//   o like q, or if codeGroup > 0, a divisor of headDim, codes i8 like q, scale f32 and sum i32 [batch, queries, heads,
//   headDim/codeGroup], or if partial
//   acc f32 [batch, queries, heads, splits, headDim] and stats f32 [batch, queries, heads, splits, 2] (den, top), which
//   AttentionMerge makes into o. `split` must then be positive; splits · split >= every length. No sinks here.
// compute is the type of q, o and of both products' operands: f32, or f16 or bf16, which tensor cores multiply; they
// are summed in f32, in which the softmax is taken too. length counts the queries, which are the sequence's last
// positions; position p lies in page table[b, p / pageSize] at offset p % pageSize. o = softmax(scores) · v; a query
// that sees nothing (length < queries) gives zeros. Slots at or past the length are never read; table entries of
// visible positions are not checked. Head h reads kv head h / (heads / kvHeads). A query's row has the same bits for
// every bh, bm, batch and page size, and whether its splits were programs of their own or not.
struct Attention {
  static constexpr std::string_view name = "attention";
  int heads = 9, kvHeads = 3, headDim = 64, pageSize = 16;
  DType cache = f16;
  ScoreOptions score = {};
  int split = 0; // positions whose softmax is taken alone and then merged, from multiples of it; 0: all
  bool partial = false;
  bool keyColumns = false; // K is [pages, kvHeads, headDim, pageSize]: what a CPU reads fast if pages are whole steps
  DType compute = f32;
  int codeGroup = 0; // > 0: o comes in 8 bits, as Quantize of that group makes it

  struct Config {
    int bh = 3, bm = 2;      // heads of one kv head and queries a program owns
    int bn = 16, blocks = 1; // positions a block of a step takes, blocks
    int sums = 0;            // sums of weights that a row carries, a divisor of bn; 0: bn
    template <class F> void fields(F &&f) {
      f("bh", bh), f("bm", bm), f("bn", bn), f("blocks", blocks), f("sums", sums);
    }
  };
  // `queries`: about how many a sequence brings; 1 is decoding.
  Config defaultConfig(const Target &target, int64_t queries = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f16, f32, bf16};
  static Sizes sizes();
  static Attention of(DType dtype, const Sizes &sizes);
  Cost cost(const Sizes &sizes) const;

private:
  bool accepts(dsl::Kernel &k, const Config &c) const;
};

} // namespace tessera::ops
