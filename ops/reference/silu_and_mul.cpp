#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

template <class T> std::vector<T> siluAndMul(Values x, int64_t d) {
  std::vector<T> y(x.size() / 2);
  for (size_t row = 0; row < x.size() / (2 * d); ++row)
    for (int64_t i = 0; i < d; ++i) {
      T gate = T(x[row * 2 * d + i]), up = T(x[row * 2 * d + d + i]);
      y[row * d + i] = gate / (T(1) + std::exp(-gate)) * up;
    }
  return y;
}
template std::vector<float> siluAndMul(Values, int64_t);
template std::vector<double> siluAndMul(Values, int64_t);

} // namespace tessera::reference
