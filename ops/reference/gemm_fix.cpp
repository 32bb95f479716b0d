#include "ops/reference/reference.h"
#include <algorithm>

namespace tessera::reference {

// Worker by worker, each one's shares added to the blocks that they belong to.
std::vector<double> gemmFix(MatmulShape s, BlockedShape block, const Streamed &streamed) {
  std::vector<double> c = streamed.c;
  for (double &value : c)
    value = value == value ? value : 0;
  int64_t workers = int64_t(streamed.parts.size()) / (2 * block.m * block.n);
  int64_t rows = (s.m + block.m - 1) / block.m, columns = (s.n + block.n - 1) / block.n;
  int64_t steps = (s.k + block.k - 1) / block.k, total = rows * columns * steps;
  for (int64_t w = 0; w < workers; ++w)
    for (int64_t at = w * total / workers, end = (w + 1) * total / workers, to; at < end; at = to) {
      int64_t tile = at / steps;
      to = std::min(end, (tile + 1) * steps);
      for (int64_t i = 0; i < block.m && to - at < steps; ++i)
        for (int64_t j = 0; j < block.n; ++j) {
          int64_t row = tile % rows * block.m + i, column = tile / rows * block.n + j;
          if (row < s.m && column < s.n)
            c[row * s.n + column] += streamed.parts[((w * 2 + (at % steps == 0)) * block.m + i) * block.n + j];
        }
    }
  return c;
}

} // namespace tessera::reference
