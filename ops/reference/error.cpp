#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace tessera::reference {

static constexpr double infinity = std::numeric_limits<double>::infinity();

double nmse(std::span<const float> result, std::span<const double> oracle) {
  if (result.size() != oracle.size())
    return infinity;
  double error = 0, energy = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    if (!std::isfinite(result[i]))
      return infinity;
    error += (result[i] - oracle[i]) * (result[i] - oracle[i]);
    energy += oracle[i] * oracle[i];
  }
  return error == 0 ? 0 : error / energy;
}

double maxError(std::span<const float> result, std::span<const double> oracle) {
  if (result.size() != oracle.size())
    return infinity;
  double largest = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    double error = std::fabs(result[i] - oracle[i]);
    if (!(error <= infinity)) // NaN compares false
      return infinity;
    largest = std::max(largest, error);
  }
  return largest;
}

double adaptiveBound(std::span<const float> lowPrecision, std::span<const double> oracle, double r, DType dtype) {
  auto round = [&](float x) { return decode(dtype, encode(dtype, std::span(&x, 1)))[0]; };
  double rounding = 0;
  for (double value : oracle) {
    float shifted = round(float(value) + 0.3f);
    rounding = std::max(rounding, std::fabs(double(round(shifted - 0.3f)) - value));
  }
  return r * maxError(lowPrecision, oracle) + 2 * rounding;
}

} // namespace tessera::reference
