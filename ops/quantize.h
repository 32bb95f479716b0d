// Quantize: activations to 8 bits, some consecutive values of a row sharing one scale.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, D] -> codes i8 [T, D], scale f32 [T, D/group], sum i32 [T, D/group]. Per group: scale = max|x| / 127, code
// = x / scale rounded half to even, sum = sum of the codes. A group whose scale is below 2^-100 is stored as zeros.
struct Quantize {
  static constexpr std::string_view name = "quantize";
  int group = 32; // values of a row that share a scale; D is a multiple of it

  struct Config {
    int bd = 256; // columns a program takes, a multiple of the group
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  // A group may be a whole row: one scale a token.
  Config defaultConfig(const Target &) const { return {.bd = group * std::max(1, 256 / group)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"D", 1536}, {"group", 32}}; }
  static Quantize of(DType, const Sizes &sizes) { return {.group = int(at(sizes, "group"))}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
