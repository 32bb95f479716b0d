// SoftmaxState: what a softmax-weighted sum has seen so far, and how two of them become one.
#pragma once
#include "dsl/dsl.h"
#include "ops/constants.h"

namespace tessera::ops {

// Rows of scores s in base 2 with values v: top = max s, den = Σ 2^(s - top), acc = Σ 2^(s - top) v. [rows, d], [rows,
// 1], [rows, 1]. Nothing seen: top is finite (`lowest`), so that differences of tops are never NaN.
using SoftmaxState = std::array<dsl::Tile, 3>;

inline SoftmaxState nothingSeen(int64_t rows, int64_t d) {
  return {dsl::zeros({rows, d}), dsl::zeros({rows, 1}), dsl::full({rows, 1}, lowest)};
}

// The state after both. The same operations in the same order wherever it is used: splits merge to the same bits in
// one program and in another kernel. Merging with nothing changes no bit.
inline SoftmaxState merged(const SoftmaxState &a, const SoftmaxState &b) {
  dsl::Tile top = dsl::max(a[2], b[2]), keepA = dsl::exp2(a[2] - top), keepB = dsl::exp2(b[2] - top);
  return {a[0] * keepA + b[0] * keepB, a[1] * keepA + b[1] * keepB, top};
}

// The weighted mean. Where any score was seen the largest alone adds about 1 to den; where none was, the result is 0.
inline dsl::Tile mean(const SoftmaxState &s) { return s[0] / dsl::max(s[1], 0.5); }

} // namespace tessera::ops
