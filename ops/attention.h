// Attention: causal softmax attention over a paged cache, for prefill, append and decode.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// q f32 [batch, queries, heads, headDim]; K, V of `cache` [pages, kvHeads, pageSize, headDim]; table i32 [batch,
// slots]; length i32 [batch]; o f32 like q. length counts the queries, which are the sequence's last positions;
// position p lies in page table[b, p / pageSize] at offset p % pageSize. o = softmax(q · kᵀ / sqrt(headDim), causal) ·
// v; a query before position 0 (length < queries) gives zeros. Slots at or past the length are never read. Head h reads
// kv head h / (heads / kvHeads). A query's row has the same bits for every bh, bm, batch and page size.
struct Attention {
  static constexpr std::string_view name = "attention";
  int heads = 9, kvHeads = 3, headDim = 64, pageSize = 16;
  DType cache = f16;

  struct Config {
    int bh = 3, bm = 2, bn = 16; // heads of one kv head (a divisor) and queries a program owns, positions a step takes
    template <class F> void fields(F &&f) { f("bh", bh), f("bm", bm), f("bn", bn); }
  };
  // `queries`: about how many a sequence brings; 1 is decoding.
  Config defaultConfig(const Target &target, int64_t queries = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f16, f32, bf16};
  static Sizes sizes();
  static Attention of(DType dtype, const Sizes &sizes);
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
