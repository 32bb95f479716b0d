#include "ops/reference/reference.h"

namespace tessera::reference {

template <class T> std::vector<T> matmulTransposed(MatmulShape s, Values a, Values w) {
  std::vector<T> c(s.m * s.n);
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) {
      T sum = 0;
      for (int64_t k = 0; k < s.k; ++k)
        sum += T(a[i * s.k + k]) * T(w[j * s.k + k]);
      c[i * s.n + j] = sum;
    }
  return c;
}
template std::vector<float> matmulTransposed(MatmulShape, Values, Values);
template std::vector<double> matmulTransposed(MatmulShape, Values, Values);

} // namespace tessera::reference
