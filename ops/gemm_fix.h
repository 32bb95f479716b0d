// GemmFix: the blocks of C that several programs of GemmStream have shared, put together.
#pragma once
#include "ops/gemm_stream.h"

namespace tessera::ops {

// parts f32 [workers, 2, bm, bn] and K (i32) of a GemmStream of the same config, C [M, N] of `out`, of which the blocks
// that one program computed are not touched: C = epilogue(the shares of a block, added in the order of k).
struct GemmFix {
  static constexpr std::string_view name = "gemm_fix";
  DType out = f32;
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };

  using Config = Gemm::Config;
  // What GemmStream takes for operands of `out`.
  Config defaultConfig(const Target &target, int64_t rows = 64) const {
    return GemmStream{.in = out}.defaultConfig(target, rows);
  }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16};
  static Sizes sizes() { return {{"M", 256}, {"N", 384}, {"K", 512}, {"workers", 8}}; }
  static GemmFix of(DType dtype, const Sizes &) { return {.out = dtype}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
