// Pack: the columns of a matrix in panels, each contiguous, as Gemm reads them.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x [K, N] -> y [panels, K, panel]: y[p, k, i] = x[k, p · panel + i], zero past N. panels · panel >= N. With k in
// groups y is [panels, K / kGroup, panel · kGroup]: y[p, g, i · kGroup + j] = x[g · kGroup + j, p · panel + i], the
// order in which an instruction that adds kGroup products a lane reads them. K is then a multiple of kGroup.
struct Pack {
  static constexpr std::string_view name = "pack";
  DType dtype = f32;
  int panel = 32;
  int kGroup = 0; // k side by side; 0: one

  struct Config {
    int bk = 8; // rows a program takes
    template <class F> void fields(F &&f) { f("bk", bk); }
  };
  Config defaultConfig(const Target &target) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16, i8};
  static Sizes sizes() { return {{"N", 512}, {"K", 512}, {"panel", 32}, {"kGroup", 0}}; }
  static Pack of(DType dtype, const Sizes &s) { return {dtype, int(at(s, "panel")), int(at(s, "kGroup"))}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
