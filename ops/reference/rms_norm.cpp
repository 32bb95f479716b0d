#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

template <class T> std::vector<T> rmsNorm(Values x, Values w, double eps) {
  size_t d = w.size();
  std::vector<T> y(x.size());
  for (size_t row = 0; row < x.size(); row += d) {
    T squares = 0;
    for (size_t i = 0; i < d; ++i)
      squares += T(x[row + i]) * T(x[row + i]);
    T scale = T(1) / std::sqrt(squares / T(d) + T(eps));
    for (size_t i = 0; i < d; ++i)
      y[row + i] = T(x[row + i]) * scale * T(w[i]);
  }
  return y;
}
template std::vector<float> rmsNorm(Values, Values, double);
template std::vector<double> rmsNorm(Values, Values, double);

} // namespace tessera::reference
