#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> geluAndMul(Values x, int64_t d, bool tanh) {
  std::vector<double> y;
  for (size_t row = 0; row < x.size(); row += 2 * d)
    for (int64_t i = 0; i < d; ++i)
      y.push_back((tanh ? geluTanh : gelu)(x[row + i]) * x[row + d + i]);
  return y;
}

} // namespace tessera::reference
