#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> pack(int64_t n, int64_t k, int64_t panel, Values x) {
  int64_t panels = (n + panel - 1) / panel;
  std::vector<double> y(panels * k * panel, 0);
  for (int64_t row = 0; row < k; ++row)
    for (int64_t column = 0; column < n; ++column)
      y[(column / panel * k + row) * panel + column % panel] = x[row * n + column];
  return y;
}

} // namespace tessera::reference
