// QuantMatmul: C = epilogue(A · Wᵀ) for weights as a model file stores them, one output row after the other.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <functional>

namespace tessera::ops {

// weight quantized (q4_0 ... q6_k), g = its values a scale: codes i8 [M, K], scale f32 [M, K/g], sum i32 [M, K/g] as
//   Quantize{g} makes them, W [N, K] packed, C f32 [M, N]. Integer products per group, groups added in f32 in ascending
//   order.
// weight a float type, plain or in panels: A f32 [M, K], W [N, K], C f32 [M, N], accumulated in f32 with k ascending.
// A row of C has the same bits for every bm and M.
struct QuantMatmul {
  static constexpr std::string_view name = "quant_matmul";
  DType weight = q4_1;
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };

  struct Config {
    int bm = 8, bn = 32, bk = 32; // bk: dense weights only; packed ones go block by block
    template <class F> void fields(F &&f) { f("bm", bm), f("bn", bn), f("bk", bk); }
  };
  // `rows`: about how large M will be; 1 is decoding.
  Config defaultConfig(const Target &target, int64_t rows = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {q4_1, q4_0, q5_0, q5_1, q8_0,      q4_k,       q5_k,
                                     q6_k, f16,  bf16, f32,  panel_f16, panel_bf16, panel_f32};
  static Sizes sizes() { return {{"M", 1}, {"N", 576}, {"K", 1536}}; }
  static QuantMatmul of(DType dtype, const Sizes &) { return {.weight = dtype}; }
  Cost cost(const Sizes &sizes) const;

private:
  void definePacked(dsl::Kernel &k, const Config &c) const;
  void defineDense(dsl::Kernel &k, const Config &c) const;
};

} // namespace tessera::ops
