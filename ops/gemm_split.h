// GemmSplit: the products of equal parts of k, each by programs of its own: for few outputs and a long k.
#pragma once
#include "ops/gemm.h"

namespace tessera::ops {

// A [M, K] of `in`, B [K, N] of `in` (`transposed`: [N, K]), parts [splits, M, N] of sumType(): parts[s] = A · B over
// the s-th range of k, which GemmMerge adds up. How many there are is decided at the launch, by the shape of parts: a
// range is ceil(K / splits) rounded up to whole steps of bk, so the last ones may be shorter or empty (then zeros).
// Within a part k ascends as in Gemm. Other counts of parts add in another order: bits depend on splits (and bk), and
// on nothing else.
struct GemmSplit {
  static constexpr std::string_view name = "gemm_split";
  DType in = f32;
  bool transposed = false;
  dsl::Precision precision = dsl::Precision::full;

  DType sumType() const { return in == i8 ? i32 : f32; }

  using Config = Gemm::Config;
  Config defaultConfig(const Target &target, int64_t rows = 64) const;
  void define(dsl::Kernel &k, const Config &c) const;

  // How many parts keep about `programs` programs busy (a GPU: its multiprocessors times the blocks that one holds),
  // each with at least four steps; 1: whole.
  static int64_t splitsFor(const Config &c, const Sizes &sizes, int64_t programs);

  static constexpr DType dtypes[] = {f32, f16, bf16, i8};
  static Sizes sizes() { return {{"M", 64}, {"N", 256}, {"K", 2048}, {"splits", 8}, {"transposed", 0}, {"tf32", 0}}; }
  static GemmSplit of(DType dtype, const Sizes &s) {
    return {dtype, at(s, "transposed") != 0, at(s, "tf32") ? dsl::Precision::tf32 : dsl::Precision::full};
  }
  Cost cost(const Sizes &sizes) const;
};

} // namespace tessera::ops
