#include "ops/reference/reference.h"
#include <algorithm>

namespace tessera::reference {

std::vector<int32_t> argMax(Values x, int64_t columns) {
  std::vector<int32_t> y;
  for (size_t row = 0; row < x.size(); row += columns) // max_element returns the first of equals
    y.push_back(int32_t(std::max_element(&x[row], &x[row] + columns) - &x[row]));
  return y;
}

} // namespace tessera::reference
