#include "runtime/vgpu/exec/tensor_sum.h"
#include <algorithm>
#include <cmath>

namespace tessera::vgpu {
namespace {
// Sum and its rounding error (Knuth, TwoSum), so that nothing of the small terms is lost.
struct Compensated {
  double sum = 0, error = 0;
  void add(double x) {
    const double s = sum + x, part = s - sum;
    error += (sum - (s - part)) + (x - part);
    sum = s;
  }
};

// Toward zero to a multiple of 2^exponent.
double cut(double x, int exponent) { return std::ldexp(std::trunc(std::ldexp(x, -exponent)), exponent); }

float towardZero(double x) {
  const auto near = float(x);
  return std::fabs(double(near)) > std::fabs(x) ? std::nextafter(near, 0.0f) : near;
}
} // namespace

float tensorSum(TensorModel model, float c, const float *a, const float *b, size_t stride, uint32_t k, int bits) {
  bool isFinite = std::isfinite(c);
  double largest = std::fabs(double(c));
  for (uint32_t i = 0; i < k; ++i) {
    const double product = double(a[i]) * b[i * stride];
    isFinite &= std::isfinite(product);
    largest = std::max(largest, std::fabs(product));
  }
  if (model == TensorModel::ieeeFma || !isFinite || largest == 0) {
    for (uint32_t i = 0; i < k; ++i)
      c = std::fma(a[i], b[i * stride], c);
    return c;
  }
  Compensated total;
  if (model == TensorModel::exactThenRound) {
    total.add(c);
    for (uint32_t i = 0; i < k; ++i)
      total.add(double(a[i]) * b[i * stride]);
    return float(total.sum + total.error);
  }
  const int quantum = std::ilogb(largest) - bits;
  total.add(cut(c, quantum));
  for (uint32_t i = 0; i < k; ++i)
    total.add(cut(double(a[i]) * b[i * stride], quantum));
  return towardZero(total.sum + total.error);
}

} // namespace tessera::vgpu
