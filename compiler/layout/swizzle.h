// Where the elements of a tile lie in shared memory: rows one after another, 16-byte chunks of a row permuted so that
// neither side meets a bank twice.
#pragma once
#include "compiler/layout/linear_map.h"
#include <cstdint>
#include <span>

namespace tessera {

// Shared memory has 32 banks of 4 bytes: eight 16-byte chunks make one wavefront. Where a row is a power of two of
// chunks, chunk c of row r lies at c ^ mask(r), a linear map of the row's bits: r / rowsPerWave mod chunks (8 at most),
// which is what TMA and wgmma expect and what serves eight consecutive rows, or a map that was chosen for what the
// kernel's warps walk. Where a row is not, rows are padded to an odd number of chunks; rows that are no whole chunks
// are packed.
class Swizzle {
public:
  static constexpr int64_t chunkBytes = 16, waveBytes = 128;

  // `columns[i]` is what bit i of the row XORs onto the chunk; empty: the map above.
  Swizzle(std::span<const int64_t> shape, int64_t elementBytes, std::span<const int64_t> columns = {});

  int64_t pitch() const { return rowPitch; } // bytes from row to row
  int64_t bytes() const { return rowPitch * rows; }
  // What is XORed onto the chunk number of `row`. Linear over the bits of the row.
  int64_t mask(int64_t row) const { return int64_t(map(uint64_t(row))); }
  // Byte offset of the element in `column` of `row`.
  int64_t offset(int64_t row, int64_t column) const {
    int64_t byte = column * elementBytes;
    return row * rowPitch + ((byte / chunkBytes ^ mask(row)) * chunkBytes) + byte % chunkBytes;
  }
  int64_t masks() const { return chunks; } // a power of two; 1: not swizzled
  int rowBits() const { return map.inBits(); }
  int64_t column(int bit) const { return int64_t(map.column(bit)); }

private:
  int64_t rows = 1, elementBytes, rowPitch, chunks = 1;
  LinearMap map{0, {}};
};

} // namespace tessera
