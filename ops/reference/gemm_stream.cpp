#include "ops/reference/reference.h"
#include <algorithm>
#include <limits>

namespace tessera::reference {

Streamed gemmStream(MatmulShape s, BlockedShape block, int64_t workers, Values a, Values b) {
  constexpr double nobody = std::numeric_limits<double>::quiet_NaN();
  Streamed out{std::vector<double>(s.m * s.n, nobody), std::vector<double>(workers * 2 * block.m * block.n, nobody)};
  int64_t rows = (s.m + block.m - 1) / block.m, columns = (s.n + block.n - 1) / block.n;
  int64_t steps = (s.k + block.k - 1) / block.k, total = rows * columns * steps;
  for (int64_t w = 0; w < workers; ++w)
    for (int64_t at = w * total / workers, end = (w + 1) * total / workers, to; at < end; at = to) {
      int64_t tile = at / steps, from = at % steps;
      to = std::min(end, (tile + 1) * steps);
      bool whole = to - at == steps;
      for (int64_t i = 0; i < block.m; ++i)
        for (int64_t j = 0; j < block.n; ++j) {
          int64_t row = tile % rows * block.m + i, column = tile / rows * block.n + j;
          double sum = 0;
          for (int64_t k = from * block.k; k < (from + to - at) * block.k; ++k)
            if (row < s.m && column < s.n && k < s.k)
              sum += a[row * s.k + k] * b[k * s.n + column];
          if (!whole)
            out.parts[((w * 2 + (from == 0)) * block.m + i) * block.n + j] = sum;
          else if (row < s.m && column < s.n)
            out.c[row * s.n + column] = sum;
        }
    }
  return out;
}

} // namespace tessera::reference
