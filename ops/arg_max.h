// ArgMax over the rows of a matrix: the greedy choice of a token.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [R, C] -> y i32 [R]: the lowest index of each row's largest value; NaN is never chosen (0 if there is only
// NaN).
struct ArgMax {
  static constexpr std::string_view name = "arg_max";

  struct Config {
    int bc = 128; // columns a step takes
    template <class F> void fields(F &&f) { f("bc", bc); }
  };
  Config defaultConfig(const Target &target) const { return {.bc = stepAlongRows(target, 4)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"R", 1}, {"C", 49152}}; }
  static ArgMax of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
