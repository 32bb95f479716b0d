#include "compiler/layout/swizzle.h"
#include <algorithm>
#include <bit>

namespace tessera {

Swizzle::Swizzle(std::span<const int64_t> shape, int64_t elementBytes) : elementBytes(elementBytes) {
  int64_t columns = shape.empty() ? 1 : shape.back();
  for (size_t d = 0; d + 1 < shape.size(); ++d)
    rows *= shape[d];
  rowPitch = columns * elementBytes;
  if (rowPitch % chunkBytes || rows == 1)
    return;
  int64_t perRow = rowPitch / chunkBytes;
  if (!std::has_single_bit(uint64_t(perRow))) {
    rowPitch += perRow % 2 ? 0 : chunkBytes;
    return;
  }
  chunks = std::min(perRow, waveBytes / chunkBytes);
  rowsPerWave = std::max<int64_t>(waveBytes / rowPitch, 1);
}

} // namespace tessera
