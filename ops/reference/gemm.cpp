#include "ops/reference/reference.h"
#include <algorithm>

namespace tessera::reference {

// Sums go over k in order; a few rows of B at a time serve all rows of A.
template <class T> std::vector<T> gemm(MatmulShape s, Values a, Values b) {
  std::vector<T> c(s.m * s.n, T(0));
  constexpr int64_t step = 8;
  for (int64_t first = 0; first < s.k; first += step)
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t k = first; k < std::min(first + step, s.k); ++k)
        for (int64_t j = 0; j < s.n; ++j)
          c[i * s.n + j] += T(a[i * s.k + k]) * T(b[k * s.n + j]);
  return c;
}
template std::vector<float> gemm(MatmulShape, Values, Values);
template std::vector<double> gemm(MatmulShape, Values, Values);

} // namespace tessera::reference
