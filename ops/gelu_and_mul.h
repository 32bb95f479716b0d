// GeluAndMul: the gate of a GeGLU feed-forward layer.
#pragma once
#include "ops/act_and_mul.h"

namespace tessera::ops {

// As ActAndMul, with f the GELU in its tanh form (Gemma) or exact.
struct GeluAndMul : ActAndMul {
  static constexpr std::string_view name = "gelu_and_mul";
  bool tanh = true;
  int group = 0; // values that share a scale; 0: y is f32

  Config defaultConfig(const Target &target) const { return ActAndMul::defaultConfig(target, group); }
  void define(dsl::Kernel &k, const Config &c) const {
    ActAndMul::define(k, c, tanh ? Activation::geluTanh : Activation::gelu, group);
  }

  static Sizes sizes() { return {{"T", 64}, {"d", 2048}, {"tanh", 1}, {"group", 0}}; }
  static GeluAndMul of(DType, const Sizes &sizes) {
    return {.tanh = at(sizes, "tanh") != 0, .group = int(at(sizes, "group"))};
  }
  Cost cost(const Sizes &sizes) const { return ActAndMul::cost(sizes, 10, group); }
};

} // namespace tessera::ops
