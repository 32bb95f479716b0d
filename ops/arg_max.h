// ArgMax over the rows of a matrix: the greedy choice of a token.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [R, C] -> y i32 [R]: the lowest index of each row's largest value; NaN is never chosen (0 if there is only
// NaN).
// parts: several programs share a row, and ArgMaxMerge ends it: x -> best f32 [R, parts] and place i32 [R, parts], part
// p of columns [p · columns, (p + 1) · columns); parts · columns must be at least C.
struct ArgMax {
  static constexpr std::string_view name = "arg_max";
  int columns = 0; // of a part; 0: one program takes a row

  struct Config {
    int bc = 128; // columns a step takes
    template <class F> void fields(F &&f) { f("bc", bc); }
  };
  Config defaultConfig(const Target &target) const { return {.bc = stepAlongRows(target, 4)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"R", 1}, {"C", 49152}, {"columns", 0}, {"parts", 1}}; }
  static ArgMax of(DType, const Sizes &sizes) { return {int(at(sizes, "columns"))}; }
  Cost cost(const Sizes &sizes) const;
};

// best f32 [R, parts], place i32 [R, parts] -> y i32 [R]: the place of the largest, the lowest of equals.
struct ArgMaxMerge {
  static constexpr std::string_view name = "arg_max_merge";

  struct Config {
    int bc = 16; // parts a step takes
    template <class F> void fields(F &&f) { f("bc", bc); }
  };
  Config defaultConfig(const Target &) const { return {}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"R", 1}, {"parts", 12}}; }
  static ArgMaxMerge of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
