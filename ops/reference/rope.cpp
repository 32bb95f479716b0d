#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

template <class T>
static std::vector<T> rotated(RopeShape s, size_t tokens, Values x, auto position, Values cosTable, Values sinTable) {
  std::vector<T> y(x.begin(), x.end());
  int64_t half = s.rotaryDim / 2;
  for (size_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < half; ++i) {
        int64_t head = (int64_t(t) * s.heads + h) * s.headDim, angle = position(t, i) * half + i;
        int64_t first = head + (s.interleaved ? 2 * i : i), second = head + (s.interleaved ? 2 * i + 1 : i + half);
        T a = T(x[first]), b = T(x[second]), c = T(cosTable[angle]), n = T(sinTable[angle]);
        y[first] = a * c - b * n;
        y[second] = b * c + a * n;
      }
  return y;
}

template <class T> std::vector<T> rope(RopeShape s, Values x, Ints pos, Values cosTable, Values sinTable) {
  return rotated<T>(s, pos.size(), x, [&](size_t t, int64_t) { return pos[t]; }, cosTable, sinTable);
}
template std::vector<float> rope(RopeShape, Values, Ints, Values, Values);
template std::vector<double> rope(RopeShape, Values, Ints, Values, Values);

template <class T>
std::vector<T> rope(RopeShape s, std::array<int, 3> sections, Values x, Ints pos, Values cosTable, Values sinTable) {
  size_t tokens = pos.size() / 3;
  auto position = [&](size_t t, int64_t i) {
    int row = i < sections[0] ? 0 : i < sections[0] + sections[1] ? 1 : 2;
    return pos[row * tokens + t];
  };
  return rotated<T>(s, tokens, x, position, cosTable, sinTable);
}
template std::vector<double> rope(RopeShape, std::array<int, 3>, Values, Ints, Values, Values);

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
