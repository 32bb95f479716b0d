// RmsNorm: y = x · rsqrt(mean(x²) + eps) · w, alone or fused with the residual sum before it. Also the norm of query
// and key heads: their rows are heads.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// residual = false: x f32 [T, D], w f32 [D], y f32 [T, D], eps f32.
// residual = true: x f32 [T, D], r inOut f32 [T, D], w, y, eps: r += x, and y is the norm of the sum.
// onePlus: the weight is 1 + w (Gemma).
struct RmsNorm {
  static constexpr std::string_view name = "rms_norm";
  bool residual = false, onePlus = false;

  struct Config {
    int bd = 128; // columns a step takes
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &target) const { return {.bd = stepAlongRows(target, 8)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"D", 576}, {"residual", 0}, {"onePlus", 0}}; }
  static RmsNorm of(DType, const Sizes &sizes) {
    return {.residual = at(sizes, "residual") != 0, .onePlus = at(sizes, "onePlus") != 0};
  }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
