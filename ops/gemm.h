// Gemm: C = epilogue(A · B) for dense matrices.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <functional>

namespace tessera::ops {

// A [M, K] of `in`, B [K, N] of `in`, C [M, N] of `out`; f32, f16 or bf16, accumulated in f32 with k ascending.
// A B in panels is read as it lies: what a large product needs, since rows of B that lie a power of two apart fall on
// the same cache lines. The bits are the same. `epilogue` takes the f32 block [bm, bn] and the columns it covers, and
// returns f32 of the same shape.
struct Gemm {
  static constexpr std::string_view name = "gemm";
  DType in = f32, out = f32;
  int panel = 0; // B as Pack makes it: [panels, K, panel]; 0: B [K, N]
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };

  struct Config {
    int bm = 8, bn = 32, bk = 8;
    template <class F> void fields(F &&f) { f("bm", bm), f("bn", bn), f("bk", bk); }
  };
  Config defaultConfig(const Target &target, int64_t rows = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16};
  static Sizes sizes() { return {{"M", 512}, {"N", 512}, {"K", 512}, {"panel", 0}}; }
  static Gemm of(DType dtype, const Sizes &s) { return {.in = dtype, .out = dtype, .panel = int(at(s, "panel"))}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
