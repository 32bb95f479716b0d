// GemmStream: a product whose steps of k are dealt evenly to as many programs as a chip runs at once.
#pragma once
#include "ops/gemm.h"

namespace tessera::ops {

// A [M, K] of `in`, B [K, N] of `in` (`transposed`: [N, K]), C [M, N] of `out`, parts f32 [workers, 2, bm, bn] as the
// config says. Each of `workers` programs takes an equal range of steps, through the ends of blocks of C (StreamPlan):
// the blocks that it begins and finishes go to C, what it finishes of one that another began to parts[w, 0], and what
// it begins and leaves to parts[w, 1]. GemmFix adds those up. Bits depend on workers, bm, bn and bk, and on nothing
// else.
struct GemmStream {
  static constexpr std::string_view name = "gemm_stream";
  DType in = f32, out = f32;
  bool transposed = false;
  dsl::Precision precision = dsl::Precision::full;
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };

  using Config = Gemm::Config;
  Config defaultConfig(const Target &target, int64_t rows = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16};
  static Sizes sizes() { return {{"M", 256}, {"N", 384}, {"K", 512}, {"workers", 8}, {"transposed", 0}, {"tf32", 0}}; }
  static GemmStream of(DType dtype, const Sizes &s) {
    return {.in = dtype,
            .out = dtype,
            .transposed = at(s, "transposed") != 0,
            .precision = at(s, "tf32") ? dsl::Precision::tf32 : dsl::Precision::full};
  }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
