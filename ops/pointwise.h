// The ops that treat every element alone: activations, residual sums, multipliers and caps.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"

namespace tessera::ops {

struct PointwiseConfig {
  int bd = 128; // columns a program takes
  template <class F> void fields(F &&f) { f("bd", bd); }
};

// What these ops have in common: f32 [T, D], one program a row's bd columns.
struct Pointwise {
  using Config = PointwiseConfig;
  // On a GPU four elements of each of 128 threads.
  Config defaultConfig(const Target &target) const {
    return {.bd = target.vendor == Vendor::cpu ? 8 * lanes(target) : 512};
  }
  static constexpr DType dtypes[] = {f32};
  static Sizes sizes() { return {{"T", 64}, {"D", 4096}}; }
};

// x f32 [T, D] -> y f32 [T, D]: y = x / (1 + exp(-x)).
struct Silu : Pointwise {
  static constexpr std::string_view name = "silu";
  void define(dsl::Kernel &k, const Config &c) const;
  static Silu of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

// x f32 [T, D] -> y f32 [T, D]: y = x · Φ(x), or its tanh approximation.
struct Gelu : Pointwise {
  static constexpr std::string_view name = "gelu";
  bool tanh = false;
  void define(dsl::Kernel &k, const Config &c) const;
  static Sizes sizes() { return {{"T", 64}, {"D", 4096}, {"tanh", 0}}; }
  static Gelu of(DType, const Sizes &sizes) { return {{}, at(sizes, "tanh") != 0}; }
  Cost cost(const Sizes &sizes) const;
};

// x f32 [T, D], r inOut f32 [T, D]: r += x. bias = true: x f32 [D], added to every row.
struct Add : Pointwise {
  static constexpr std::string_view name = "add";
  bool bias = false;
  void define(dsl::Kernel &k, const Config &c) const;
  static Sizes sizes() { return {{"T", 64}, {"D", 4096}, {"bias", 0}}; }
  static Add of(DType, const Sizes &sizes) { return {{}, at(sizes, "bias") != 0}; }
  Cost cost(const Sizes &sizes) const;
};

// x inOut f32 [T, D], s f32: x *= s.
struct Scale : Pointwise {
  static constexpr std::string_view name = "scale";
  void define(dsl::Kernel &k, const Config &c) const;
  static Scale of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

// x inOut f32 [T, D], cap f32 > 0: x = cap · tanh(x / cap).
struct SoftCap : Pointwise {
  static constexpr std::string_view name = "soft_cap";
  void define(dsl::Kernel &k, const Config &c) const;
  static SoftCap of(DType, const Sizes &) { return {}; }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
