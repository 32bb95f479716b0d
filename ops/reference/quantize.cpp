#include "ops/reference/reference.h"
#include <cmath>

namespace tessera::reference {

Quantized quantize(std::span<const float> x, int64_t columns, int64_t group) {
  Quantized q;
  for (size_t block = 0; block < x.size() / columns * (columns / group); ++block) {
    std::span<const float> values = x.subspan(block * group, group);
    float largest = 0;
    for (float v : values)
      largest = std::max(largest, std::fabs(v));
    float d = largest / 127.0f;
    if (!(d >= 0x1p-100f))
      d = 0;
    int32_t sum = 0;
    for (float v : values) {
      int code = d > 0 ? int(std::nearbyint(v / d)) : 0; // ties to even in the default rounding mode
      q.codes.push_back(int8_t(code));
      q.values.push_back(double(d) * code);
      sum += code;
    }
    q.scale.push_back(d);
    q.sum.push_back(sum);
  }
  return q;
}

} // namespace tessera::reference
