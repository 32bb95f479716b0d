// SiluAndMul: the gate of a SwiGLU feed-forward layer.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, 2d], gates first -> y f32 [T, d]: y[i] = x[i] / (1 + exp(-x[i])) · x[d + i].
struct SiluAndMul {
  static constexpr std::string_view name = "silu_and_mul";

  struct Config {
    int bd = 128; // columns a program takes
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &target) const { return {.bd = stepAlongRows(target, 8)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"d", 1536}}; }
  static SiluAndMul of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
