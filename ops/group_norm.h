// GroupNorm: the norm of each group of channels, then a weight and a bias a channel.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, C], or [T, C, S] if spatial; w and b f32 [C]; y like x; eps f32. The C channels fall into `groups` equal
// parts; y = (x - mean) · rsqrt(var + eps) · w[c] + b[c], mean and variance over a row's group.
struct GroupNorm {
  static constexpr std::string_view name = "group_norm";
  int groups = 32;
  bool spatial = false;

  struct Config {
    int bd = 128; // columns a step takes
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  // On a GPU a warp takes two elements a lane.
  Config defaultConfig(const Target &target) const {
    return {.bd = target.vendor == Vendor::cpu ? 2 * lanes(target) : 64};
  }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"C", 2048}, {"S", 1}, {"groups", 32}, {"spatial", 0}}; }
  static GroupNorm of(DType, const Sizes &s) { return {int(at(s, "groups")), at(s, "spatial") != 0}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
