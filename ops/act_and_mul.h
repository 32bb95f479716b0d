// ActAndMul: what the gates of feed-forward layers have in common; the ops are in silu_and_mul.h and gelu_and_mul.h.
#pragma once
#include "dsl/dsl.h"
#include "ops/activation.h"
#include "ops/catalogue.h"

namespace tessera::ops {

// x f32 [T, 2d], gates first -> y f32 [T, d]: y[i] = f(x[i]) · x[d + i]. With group > 0, a divisor of d, y comes as
// Quantize{group} would make it: codes i8 [T, d], scale f32 [T, d/group], sum i32 [T, d/group].
struct ActAndMul {
  struct Config {
    int bd = 128; // columns a program takes, a multiple of the group
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  static constexpr DType dtypes[] = {f32};

protected:
  static Config defaultConfig(const Target &target, int group);
  static void define(dsl::Kernel &k, const Config &c, Activation kind, int group);
  static Cost cost(const Sizes &sizes, double flops, int group);
};

} // namespace tessera::ops
