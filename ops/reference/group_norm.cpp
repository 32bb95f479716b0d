#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

template <class T> std::vector<T> groupNorm(GroupShape s, Values x, Values w, Values b, double eps) {
  size_t channels = w.size() / s.groups, size = channels * s.run;
  std::vector<T> y(x.size());
  for (size_t group = 0; group < x.size() / size; ++group) {
    size_t first = group * size, firstChannel = group % s.groups * channels;
    T mean = 0, variance = 0;
    for (size_t i = 0; i < size; ++i)
      mean += T(x[first + i]) / T(size);
    for (size_t i = 0; i < size; ++i)
      variance += (T(x[first + i]) - mean) * (T(x[first + i]) - mean) / T(size);
    for (size_t i = 0; i < size; ++i) {
      size_t c = firstChannel + i / s.run;
      y[first + i] = (T(x[first + i]) - mean) / std::sqrt(variance + T(eps)) * T(w[c]) + (b.empty() ? T(0) : T(b[c]));
    }
  }
  return y;
}
template std::vector<float> groupNorm(GroupShape, Values, Values, Values, double);
template std::vector<double> groupNorm(GroupShape, Values, Values, Values, double);

} // namespace tessera::reference
