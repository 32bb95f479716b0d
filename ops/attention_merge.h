// AttentionMerge: joins the splits of an Attention that ran as programs of their own.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// acc f32 [batch, queries, heads, splits, headDim] and stats f32 [batch, queries, heads, splits, 2] as a partial
// Attention leaves them, length i32 [batch], sinks f32 [heads] if sinks -> o f32 [batch, queries, heads, headDim].
// (codes, scale and sum in its place if codeGroup > 0). Splits are merged in ascending order up to the sequence's
// length: o has the bits of an Attention of the same `split` that was not partial.
struct AttentionMerge {
  static constexpr std::string_view name = "attention_merge";
  int heads = 9, headDim = 64, split = 512;
  bool sinks = false;
  int codeGroup = 0; // > 0: o comes in 8 bits, as Attention's does

  struct Config {
    int bh = 1; // heads a program owns
    template <class F> void fields(F &&f) { f("bh", bh); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes();
  static AttentionMerge of(DType, const Sizes &s);
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
