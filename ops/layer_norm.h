// LayerNorm: y = (x - mean(x)) · rsqrt(var(x) + eps) · w + b, alone or fused with the residual sum before it.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, D], r inOut f32 [T, D] if residual, w f32 [D], b f32 [D] if bias, y f32 [T, D], eps f32, in this order.
// residual: r += x, and y is the norm of the sum. The variance is the mean of the squared differences from the mean.
struct LayerNorm {
  static constexpr std::string_view name = "layer_norm";
  bool bias = true, residual = false;

  struct Config {
    int bd = 128, bt = 1; // columns a step takes, rows a program
    template <class F> void fields(F &&f) { f("bd", bd), f("bt", bt); }
  };
  Config defaultConfig(const Target &target) const {
    return {.bd = stepAlongRows(target, 8), .bt = target.vendor == Vendor::cpu && target.registers >= 32 ? 2 : 1};
  }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"D", 1024}, {"bias", 1}, {"residual", 0}}; }
  static LayerNorm of(DType, const Sizes &s) { return {at(s, "bias") != 0, at(s, "residual") != 0}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
