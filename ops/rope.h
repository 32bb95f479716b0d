// Rope: rotary position embedding, in place.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <array>

namespace tessera::ops {

// x inOut f32 [T, heads, headDim], pos i32 [T], cos and sin f32 [P, rotaryDim/2], where row p holds the cosines and
// sines of position p (pos in [0, P) is not checked). Turns the pairs (i, i + rotaryDim/2) as NeoX does, or (2i, 2i +
// 1) as GPT-J if interleaved; coordinates past rotaryDim stay. The tables (ops/rope_tables.h) carry every way of
// stretching the context, with its magnitude. sections {a, b, c}, a + b + c = rotaryDim/2: pos is i32 [3, T], and the
// first a pairs turn by its first row, the next b by its second, the rest by its third (M-RoPE: time, height, width).
struct Rope {
  static constexpr std::string_view name = "rope";
  int heads = 9, headDim = 64, rotaryDim = 64;
  bool interleaved = false;
  std::array<int, 3> sections = {};

  struct Config {
    int bd = 32; // pairs a program takes
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &) const { return {.bd = std::min(rotaryDim / 2, 64)}; }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() {
    return {{"T", 64},          {"P", 2048},      {"heads", 9},       {"headDim", 64},  {"rotaryDim", 64},
            {"interleaved", 0}, {"timePairs", 0}, {"heightPairs", 0}, {"widthPairs", 0}};
  }
  static Rope of(DType, const Sizes &sizes);
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
