// SiluAndMul: the gate of a SwiGLU feed-forward layer.
#pragma once
#include "ops/act_and_mul.h"

namespace tessera::ops {

// As ActAndMul, with f(g) = g / (1 + exp(-g)).
struct SiluAndMul : ActAndMul {
  static constexpr std::string_view name = "silu_and_mul";
  int group = 0; // values that share a scale; 0: y is f32

  Config defaultConfig(const Target &target) const { return ActAndMul::defaultConfig(target, group); }
  void define(dsl::Kernel &k, const Config &c) const { ActAndMul::define(k, c, Activation::silu, group); }

  static Sizes sizes() { return {{"T", 64}, {"d", 1536}, {"group", 0}}; }
  static SiluAndMul of(DType, const Sizes &sizes) { return {.group = int(at(sizes, "group"))}; }
  Cost cost(const Sizes &sizes) const { return ActAndMul::cost(sizes, 5, group); }
};

} // namespace tessera::ops
