// QuantMatmul: C = epilogue(A · Wᵀ) for weights as a model file stores them, one output row after the other.
#pragma once
#include "dsl/dsl.h"
#include "ops/activation.h"
#include "ops/catalogue.h"
#include <functional>
#include <optional>

namespace tessera::ops {

// weight quantized (q4_0 ... q6_k), g = its values a scale: codes i8 [M, K], scale f32 [M, K/g], sum i32 [M, K/g] as
//   Quantize{g} makes them, W [N, K] packed, C f32 [M, N]. Integer products per group, groups added in f32 in ascending
//   order.
// weight a float type, plain or in panels: A f32 [M, K], W [N, K], C f32 [M, N], accumulated in f32 with k ascending,
// in
//   Config::sums sums of every such block of bk, which are added at the end.
// activations f16 or bf16: A [M, K] of that type whatever the weight. Weights become that type in registers (computed
// in
//   f32, rounded once), and tensor cores multiply: W4A16, W8A16.
// A row of C has the same bits for every bm and M, and the fused forms have those of their parts one after the other:
//   bias: + bias f32 [N], an argument after W.
//   slice: C is [M, columns] and takes the product from column `first` on, a scalar i32 after C.
//   gate: W's rows come in turns of 32, gates and ups, N is a multiple of 64, and C [M, N/2] is gate(A · gatesᵀ) · (A ·
//     upsᵀ). With group > 0, C comes as Quantize{group} would make it: yCodes i8 [M, N/2], yScale and ySum [M,
//     N/2/group].
struct QuantMatmul {
  static constexpr std::string_view name = "quant_matmul";
  DType weight = q4_1;
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };
  bool bias = false, slice = false;
  std::optional<Activation> gate = {};
  int group = 0;
  DType activations = f32;        // f32: codes or f32, as the weight wants
  static constexpr int turn = 32; // rows of gates, then of ups

  struct Config {
    int bm = 8, bn = 32, bk = 32; // bk: dense weights only; packed ones go block by block
    int sums = 1;                 // of dense weights; with 2, bk and sums decide how results round
    template <class F> void fields(F &&f) { f("bm", bm), f("bn", bn), f("bk", bk), f("sums", sums); }
  };
  // `rows`: about how large M will be; 1 is decoding.
  Config defaultConfig(const Target &target, int64_t rows = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {q4_1, q4_0, q5_0, q5_1, q8_0,      q4_k,       q5_k,
                                     q6_k, f16,  bf16, f32,  panel_f16, panel_bf16, panel_f32};
  // gate: 1 SiLU, 2 GELU, 3 GELU by tanh.
  static Sizes sizes() {
    return {{"M", 1}, {"N", 576}, {"K", 1536}, {"bias", 0}, {"gate", 0}, {"group", 0}, {"f16", 0}, {"bf16", 0}};
  }
  static QuantMatmul of(DType dtype, const Sizes &sizes);
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
