// Gemm: C = epilogue(A · B) for dense matrices, of floats and of bytes.
#pragma once
#include "dsl/dsl.h"
#include "ops/catalogue.h"
#include <functional>

namespace tessera::ops {

// A [M, K] of `in`, B [K, N] of `in` (`transposed`: [N, K], which byte products want), C [M, N] of `out`.
// in f32, f16, bf16, e4m3 or e5m2: accumulated in f32 with k ascending; 8-bit floats only where a target multiplies
// them. in i8, or u8 by a B of i8: summed in i32, exactly; `out` i32 gets the sums themselves, any other what becomes
// of them as f32. `scaled`: rowScale f32 [M] and columnScale f32 [N] come before C, and C = epilogue((A · B) · rowScale
// · columnScale). `precision` tf32: a target with tensor cores rounds f32 operands to 10 bits of mantissa for them. A B
// in panels is read as it lies: what a large product needs, since rows of B that lie a power of two apart fall on the
// same cache lines. The bits are the same. `epilogue` takes the f32 block [bm, bn] and the columns it covers, and
// returns f32 of the same shape.
struct Gemm {
  static constexpr std::string_view name = "gemm";
  DType in = f32, out = f32;
  int panel = 0;  // B as Pack makes it: [panels, K, panel]; 0: B [K, N]
  int kGroup = 0; // B as Pack makes it with as many k side by side; K is then a multiple of it; 0: one
  bool transposed = false, scaled = false;
  dsl::Precision precision = dsl::Precision::full;
  std::function<dsl::Tile(dsl::Tile acc, dsl::Range n)> epilogue = [](dsl::Tile acc, dsl::Range) { return acc; };

  struct Config {
    int bm = 8, bn = 32, bk = 8;
    template <class F> void fields(F &&f) { f("bm", bm), f("bn", bn), f("bk", bk); }
  };
  Config defaultConfig(const Target &target, int64_t rows = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  static constexpr DType dtypes[] = {f32, f16, bf16, i8, e4m3, e5m2, u8};
  static Sizes sizes() {
    return {{"M", 512},    {"N", 512},        {"K", 512},    {"panel", 0},
            {"kGroup", 0}, {"transposed", 0}, {"scaled", 0}, {"tf32", 0}};
  }
  static Gemm of(DType dtype, const Sizes &s) {
    return {.in = dtype,
            .out = dtype == i8 || dtype == u8 ? i32
                   : isFloat8(dtype)          ? f32
                                              : dtype,
            .panel = int(at(s, "panel")),
            .kGroup = int(at(s, "kGroup")),
            .transposed = at(s, "transposed") != 0,
            .scaled = at(s, "scaled") != 0,
            .precision = at(s, "tf32") ? dsl::Precision::tf32 : dsl::Precision::full};
  }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
