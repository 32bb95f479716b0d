#include "ops/reference/reference.h"
#include <cmath>
#include <numbers>

namespace tessera::reference {

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu(double x) { return x * std::erfc(-x / std::numbers::sqrt2) / 2; }
double geluTanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
double softCap(double x, double cap) { return cap * std::tanh(x / cap); }

std::vector<double> map(Values x, const std::function<double(double)> &f) {
  std::vector<double> y;
  for (double value : x)
    y.push_back(f(value));
  return y;
}

} // namespace tessera::reference
