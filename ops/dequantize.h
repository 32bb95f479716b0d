// Dequantize: a matrix in a packed weight format as f32.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// W [N, K] quantized -> y f32 [N, K], exactly: w = (code - bias) · scale + min with one rounding at most.
struct Dequantize {
  static constexpr std::string_view name = "dequantize";
  DType weight = q8_0;

  struct Config {
    int bd = 64; // columns a program takes, a multiple of 32
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k};
  static Sizes sizes() { return {{"N", 576}, {"K", 1536}}; }
  static Dequantize of(DType dtype, const Sizes &) { return {.weight = dtype}; }
  Cost cost(const Sizes &sizes) const;
};

// Whether blocks of `bd` columns cut the format's groups and blocks evenly; reports a mistake where they do not.
bool takesColumns(dsl::Kernel &k, std::string_view op, DType weight, int bd);
// One row of a block of a packed matrix, as f32 [bd]. The view is a point and a range of bd columns.
dsl::Tile dequantized(const dsl::View &row, DType weight, int bd);

} // namespace tessera::ops
