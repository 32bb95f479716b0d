#include "compiler/layout/swizzle.h"
#include <algorithm>
#include <bit>

namespace tessera {

Swizzle::Swizzle(std::span<const int64_t> shape, int64_t elementBytes, std::span<const int64_t> columns)
    : elementBytes(elementBytes) {
  for (size_t d = 0; d + 1 < shape.size(); ++d)
    rows *= shape[d];
  rowPitch = (shape.empty() ? 1 : shape.back()) * elementBytes;
  std::vector<uint64_t> images(std::bit_width(uint64_t(rows - 1)), 0);
  if (rowPitch % chunkBytes == 0 && rows > 1) {
    int64_t perRow = rowPitch / chunkBytes;
    if (std::has_single_bit(uint64_t(perRow))) {
      chunks = std::min(perRow, waveBytes / chunkBytes);
      int64_t rowsPerWave = std::max<int64_t>(waveBytes / rowPitch, 1);
      for (size_t bit = 0; bit < images.size(); ++bit)
        images[bit] = uint64_t((int64_t(1) << bit) / rowsPerWave & (chunks - 1));
      for (size_t bit = 0; bit < std::min(images.size(), columns.size()); ++bit)
        images[bit] = uint64_t(columns[bit]);
    } else {
      rowPitch += perRow % 2 ? 0 : chunkBytes;
    }
  }
  map = LinearMap(std::bit_width(uint64_t(chunks - 1)), images);
}

} // namespace tessera
