#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> gemmSplit(MatmulShape s, int64_t splits, int64_t step, Values a, Values b) {
  std::vector<double> parts(splits * s.m * s.n, 0);
  int64_t length = (s.k + splits * step - 1) / (splits * step) * step;
  for (int64_t k = 0; k < s.k; ++k)
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j)
        parts[(k / length * s.m + i) * s.n + j] += a[i * s.k + k] * b[k * s.n + j];
  return parts;
}

} // namespace tessera::reference
