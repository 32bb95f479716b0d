// QuantMatmul: C = epilogue(A · Wᵀ) for weights as a model file stores them, one output row after the other.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <functional>

namespace tessera::ops {

// weight packed (q4_0, q4_1, q8_0): codes i8 [M, K], scale f32 [M, K/32], sum i32 [M, K/32] as Quantize makes them,
//   W [N, K] packed, C f32 [M, N]. Integer products per block of 32, blocks added in f32 in ascending order.
// weight f16 or f32: A f32 [M, K], W [N, K], C f32 [M, N], accumulated in f32 with k ascending.
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

  static constexpr DType dtypes[] = {q4_1, q4_0, q8_0, f16};
  static Sizes sizes() { return {{"M", 1}, {"N", 1536}, {"K", 576}}; }
  static QuantMatmul of(DType dtype, const Sizes &) { return {.weight = dtype}; }
  Cost cost(const Sizes &sizes) const;

private:
  void definePacked(dsl::Kernel &k, const Config &c) const;
  void defineDense(dsl::Kernel &k, const Config &c) const;
};

} // namespace tessera::ops
