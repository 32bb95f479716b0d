// GemmMerge: C = epilogue(the sum of the parts of a product), in ascending order.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <functional>

namespace tessera::ops {

// parts [splits, M, N] of `sum` (f32 or i32), C [M, N] of `out`. C = epilogue(parts[0] + parts[1] + ...), added in this
// order whatever the config; i32 sums wrap and become f32 for the epilogue, unless `out` is i32, which gets them as
// they are. `epilogue` takes the f32 block [bm, bn] and the columns it covers, and returns f32 of the same shape.
struct GemmMerge {
  static constexpr std::string_view name = "gemm_merge";
  DType sum = f32, out = f32;
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };

  struct Config {
    int bm = 2, bn = 128;
    template <class F> void fields(F &&f) { f("bm", bm), f("bn", bn); }
  };
  Config defaultConfig(const Target &target) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16, i32};
  static Sizes sizes() { return {{"M", 64}, {"N", 256}, {"splits", 8}}; }
  static GemmMerge of(DType dtype, const Sizes &) { return {.sum = dtype == i32 ? i32 : f32, .out = dtype}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
