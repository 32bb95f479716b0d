// RmsNorm: y = x · rsqrt(mean(x²) + eps) · w, alone or fused with the residual sum before it. Also the norm of query
// and key heads: their rows are heads.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <functional>

namespace tessera::ops {

// residual = false: x f32 [T, D], w f32 [D], y f32 [T, D], eps f32.
// residual = true: x f32 [T, D], r inOut f32 [T, D], w, y, eps: r += x, and y is the norm of the sum.
// onePlus: the weight is 1 + w (Gemma).
// group > 0: in the place of y come codes i8 [T, D], scale f32 [T, D/group] and sum i32 [T, D/group], as
// Quantize{group} makes them of y. `out` is f32 then.
// out f16, bf16: y is of that type. out i8, e4m3, e5m2: y is codes, and scale f32 [T], one a row, comes after it: norm
// = code · scale with scale = max|norm| / 127 (448, 57344) and codes rounded half to even; a row of zeros has scale 0.
struct RmsNorm {
  static constexpr std::string_view name = "rms_norm";
  bool residual = false, onePlus = false;
  int group = 0; // values that share a scale; 0: y is of `out`
  DType out = f32;

  struct Config {
    int bd = 128; // columns a step takes
    template <class F> void fields(F &&f) { f("bd", bd); }
  };
  Config defaultConfig(const Target &target) const {
    int bd = stepAlongRows(target, 8);
    return {.bd = group > bd ? group : bd};
  }
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16, i8, e4m3, e5m2}; // of y
  static Sizes sizes() { return {{"T", 64}, {"D", 576}, {"residual", 0}, {"onePlus", 0}, {"group", 0}}; }
  static RmsNorm of(DType dtype, const Sizes &sizes) {
    return {.residual = at(sizes, "residual") != 0,
            .onePlus = at(sizes, "onePlus") != 0,
            .group = int(at(sizes, "group")),
            .out = dtype};
  }
  Cost cost(const Sizes &sizes) const;
};

// rsqrt(mean(v²) + eps) of a row of D values, [1, 1], where load(j) gives columns j of v, shape [bd] or [1, bd].
// Squares are summed lane by lane over steps of bd, then across lanes.
dsl::Tile rmsScale(const dsl::Size &D, dsl::Operand count, int64_t bd, const dsl::Tile &eps,
                   const std::function<dsl::Tile(dsl::Range)> &load);

} // namespace tessera::ops
