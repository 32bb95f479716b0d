// Pack: the columns of a matrix in panels, each contiguous, as Gemm reads them.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x [K, N] -> y [panels, K, panel]: y[p, k, i] = x[k, p · panel + i], zero past N. panels · panel >= N.
struct Pack {
  static constexpr std::string_view name = "pack";
  DType dtype = f32;
  int panel = 32;

  struct Config {
    int bk = 8; // rows a program takes
    template <class F> void fields(F &&f) { f("bk", bk); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16};
  static Sizes sizes() { return {{"N", 512}, {"K", 512}, {"panel", 32}}; }
  static Pack of(DType dtype, const Sizes &s) { return {dtype, int(at(s, "panel"))}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
