// Softmax over the rows of a matrix.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [R, C] -> y f32 [R, C]: y = exp(x - max) / sum(exp(x - max)) over each row, of any length. A row of
// -inf alone gives NaN, as the formula does.
struct Softmax {
  static constexpr std::string_view name = "softmax";

  struct Config {
    int bc = 128; // columns a step takes
    int exps = 1; // 1: powers are stored with their sum and scaled in place; 2: they are computed again, which saves
                  // memory traffic where exp2 is cheap
    template <class F> void fields(F &&f) { f("bc", bc), f("exps", exps); }
  };
  Config defaultConfig(const Target &target) const {
    return {.bc = stepAlongRows(target, 4), .exps = target.vendor == Vendor::cpu ? 1 : 2};
  }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"R", 16}, {"C", 49152}}; }
  static Softmax of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
