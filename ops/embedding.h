// Embedding: the rows of a table that tokens name, as f32.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// table [V, D] (packed, f16 or f32), tokens i32 [T], each in [0, V) -> y f32 [T, D]; packed rows are dequantized
// exactly. Tokens are not checked: the caller answers for them.
struct Embedding {
  static constexpr std::string_view name = "embedding";
  DType table = q8_0;

  struct Config {
    int bd = 64; // columns a program takes, a multiple of 32
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {q8_0, q4_0, q4_1, f16, f32};
  static Sizes sizes() { return {{"T", 64}, {"V", 49152}, {"D", 576}}; }
  static Embedding of(DType dtype, const Sizes &) { return {.table = dtype}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
