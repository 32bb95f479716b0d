#include "ops/reference/reference.h"
#include <algorithm>

namespace tessera::reference {

// Sums go over k in order; of a few rows of W at a time, so that their sums are SIMD.
template <class T> std::vector<T> matmulTransposed(MatmulShape s, Values a, Values w) {
  std::vector<T> c(s.m * s.n);
  constexpr int64_t width = 16;
  std::vector<T> columns(s.k * width);
  for (int64_t first = 0; first < s.n; first += width) {
    const int64_t count = std::min(width, s.n - first);
    for (int64_t k = 0; k < s.k; ++k)
      for (int64_t j = 0; j < count; ++j)
        columns[k * width + j] = T(w[(first + j) * s.k + k]);
    for (int64_t i = 0; i < s.m; ++i) {
      T sum[width] = {};
      for (int64_t k = 0; k < s.k; ++k)
        for (int64_t j = 0; j < width; ++j)
          sum[j] += T(a[i * s.k + k]) * columns[k * width + j];
      std::copy_n(sum, count, &c[i * s.n + first]);
    }
  }
  return c;
}
template std::vector<float> matmulTransposed(MatmulShape, Values, Values);
template std::vector<double> matmulTransposed(MatmulShape, Values, Values);

} // namespace tessera::reference
