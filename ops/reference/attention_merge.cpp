#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

std::vector<double> attentionMerge(int64_t splits, int64_t d, Values acc, Values den, Values top, Values sink) {
  std::vector<double> o;
  for (size_t row = 0; row < den.size() / splits; ++row) {
    std::vector<double> sum(d, 0);
    double weight = sink.empty() ? 0 : std::exp(sink[row]);
    for (int64_t s = 0; s < splits; ++s) {
      double scale = std::exp2(top[row * splits + s]);
      weight += scale * den[row * splits + s];
      for (int64_t e = 0; e < d; ++e)
        sum[e] += scale * acc[(row * splits + s) * d + e];
    }
    for (double value : sum)
      o.push_back(weight > 0 ? value / weight : 0);
  }
  return o;
}

} // namespace tessera::reference
