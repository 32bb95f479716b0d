#include "ops/reference/reference.h"
#include <algorithm>
#include <cmath>

namespace tessera::reference {

template <class T> std::vector<T> softmax(Values x, int64_t columns) {
  std::vector<T> y(x.size());
  for (size_t row = 0; row < x.size(); row += columns) {
    T top = T(*std::max_element(&x[row], &x[row] + columns)), sum = 0;
    for (int64_t i = 0; i < columns; ++i)
      sum += y[row + i] = std::exp(T(x[row + i]) - top);
    for (int64_t i = 0; i < columns; ++i)
      y[row + i] /= sum;
  }
  return y;
}
template std::vector<float> softmax(Values, int64_t);
template std::vector<double> softmax(Values, int64_t);

} // namespace tessera::reference
