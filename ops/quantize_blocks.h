// QuantizeBlocks: f32 values in a block format of GGUF files, its numbers apart.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, D] -> codes u8 [T, D] (unsigned: the format's bias is not subtracted), scale f16 [T, D/32] and, where the
// format has mins, min f16 [T, D/32]. Source: quantize_row_*_ref of ggml-quants.c, whose codes and scales these are:
//   with mins:    d = (max - min) / n,  code = trunc((x - min) / d + 0.5)         n = 15 or 31
//   without:      d = extreme / -h,     code = trunc(x / d + h + 0.5)             h = 8 or 16; the first of the values
//   of
//                                                                                 largest magnitude takes the code 0
//   q8_0:         d = max|x| / 127,     code = x / d rounded, halves away from 0
// Divisions by d are products with its f32 reciprocal. A block of zeros has d = 0.
struct QuantizeBlocks {
  static constexpr std::string_view name = "quantize_blocks";
  DType format = q8_0;

  struct Config {
    int bd = 128; // columns a program takes, a multiple of 32
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {q8_0, q4_0, q4_1, q5_0, q5_1};
  static Sizes sizes() { return {{"T", 64}, {"D", 1536}}; }
  static QuantizeBlocks of(DType dtype, const Sizes &) { return {.format = dtype}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
