#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

template <class T> std::vector<T> rope(RopeShape s, Values x, Ints pos, Values cosTable, Values sinTable) {
  std::vector<T> y(x.begin(), x.end());
  int64_t half = s.rotaryDim / 2;
  for (size_t t = 0; t < pos.size(); ++t)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < half; ++i) {
        int64_t head = (int64_t(t) * s.heads + h) * s.headDim;
        int64_t first = head + (s.interleaved ? 2 * i : i), second = head + (s.interleaved ? 2 * i + 1 : i + half);
        T a = T(x[first]), b = T(x[second]), c = T(cosTable[pos[t] * half + i]), n = T(sinTable[pos[t] * half + i]);
        y[first] = a * c - b * n;
        y[second] = b * c + a * n;
      }
  return y;
}
template std::vector<float> rope(RopeShape, Values, Ints, Values, Values);
template std::vector<double> rope(RopeShape, Values, Ints, Values, Values);

RopeTables ropeTables(int64_t positions, int64_t rotaryDim, double theta) {
  RopeTables tables;
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t i = 0; i < rotaryDim / 2; ++i) {
      double angle = double(p) * std::pow(theta, -2.0 * double(i) / double(rotaryDim));
      tables.cosTable.push_back(std::cos(angle));
      tables.sinTable.push_back(std::sin(angle));
    }
  return tables;
}

} // namespace tessera::reference
