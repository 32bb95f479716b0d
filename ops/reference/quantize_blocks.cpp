#include "ops/reference/formats.h"
#include <algorithm>
#include <cmath>

namespace tessera::reference {

PackedMatrix quantizeBlocks(DType format, std::span<const float> x, int64_t columns) {
  const PackedFormat &row = *info(format).packed;
  PackedMatrix m{format, int64_t(x.size()) / columns, columns, {}, {}, {}};
  for (; !x.empty(); x = x.subspan(32)) {
    float least = x[0], most = x[0], extreme = 0;
    for (float v : x.first(32)) {
      least = std::min(least, v);
      most = std::max(most, v);
      if (std::fabs(v) > std::fabs(extreme))
        extreme = v;
    }
    int top = (1 << row.bits) - 1;
    float d = row.hasMin      ? (most - least) / float(top)
              : row.bits == 8 ? std::fabs(extreme) / 127
                              : extreme / float(-row.bias);
    float inverse = d != 0 ? 1 / d : 0;
    for (float v : x.first(32)) {
      int code = row.hasMin      ? int((v - least) * inverse + 0.5f)
                 : row.bits == 8 ? int(std::round(v * inverse)) + row.bias
                                 : int(v * inverse + (float(row.bias) + 0.5f));
      m.codes.push_back(uint8_t(std::min(code, top)));
    }
    m.scale.push_back(toF16(d));
    if (row.hasMin)
      m.min.push_back(toF16(least));
  }
  return m;
}

} // namespace tessera::reference
