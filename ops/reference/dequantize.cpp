#include "ops/reference/formats.h"

namespace tessera::reference {

std::vector<float> PackedMatrix::values() const {
  const PackedFormat &row = *info(format).packed;
  std::vector<float> result(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    size_t group = i / size_t(row.group), block = i / size_t(row.block);
    double code = double(int(codes[i]) - row.bias), value = 0;
    if (superScale.empty()) {
      value = code * fromF16(scale[group]) + (row.hasMin ? double(fromF16(min[group])) : 0.0);
    } else {
      int byte = format == q6_k ? int(int8_t(scale[group])) : int(scale[group]);
      value = double(fromF16(superScale[block])) * byte * code;
      if (row.hasMin)
        value -= double(fromF16(superMin[block])) * min[group];
    }
    result[i] = float(value);
  }
  return result;
}

} // namespace tessera::reference
