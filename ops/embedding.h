// Embedding: the rows of a table that tokens name, as f32.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// table [V, D] (quantized, or a float type, plain or in panels), tokens i32 [T], each in [0, V) -> y f32 [T, D];
// quantized rows are dequantized exactly. Tokens are not checked: the caller answers for them.
struct Embedding {
  static constexpr std::string_view name = "embedding";
  DType table = q8_0;

  struct Config {
    int bd = 64; // columns a program takes, a multiple of 32
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {q8_0, q4_0, q4_1, q5_0, q5_1,      q4_k,       q5_k,
                                     q6_k, f16,  bf16, f32,  panel_f16, panel_bf16, panel_f32};
  static Sizes sizes() { return {{"T", 64}, {"V", 49152}, {"D", 768}}; }
  static Embedding of(DType dtype, const Sizes &) { return {.table = dtype}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
