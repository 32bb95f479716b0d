// GeluAndMul: the gate of a GeGLU feed-forward layer.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, 2d], gates first -> y f32 [T, d]: y[i] = gelu(x[i]) · x[d + i]; gelu in its tanh form (Gemma) or exact.
struct GeluAndMul {
  static constexpr std::string_view name = "gelu_and_mul";
  bool tanh = true;

  struct Config {
    int bd = 128; // columns a program takes
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &target) const { return {.bd = 8 * lanes(target)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"d", 2048}, {"tanh", 1}}; }
  static GeluAndMul of(DType, const Sizes &sizes) { return {.tanh = at(sizes, "tanh") != 0}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
