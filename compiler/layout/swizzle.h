// Where the elements of a tile lie in shared memory: rows one after another, 16-byte chunks of a row permuted so that
// neither walking along rows nor taking one chunk of eight consecutive rows meets a bank twice.
#pragma once
#include <cstdint>
#include <span>

namespace tessera {

// Shared memory has 32 banks of 4 bytes: eight 16-byte chunks make one wavefront. Where a row is a power of two of
// chunks, chunk c of row r lies at c ^ (r / rowsPerWave mod chunks, 8 at most); where it is not, rows are padded to an
// odd number of chunks; rows that are no whole chunks are packed.
class Swizzle {
public:
  static constexpr int64_t chunkBytes = 16, waveBytes = 128;

  Swizzle(std::span<const int64_t> shape, int64_t elementBytes);

  int64_t pitch() const { return rowPitch; } // bytes from row to row
  int64_t bytes() const { return rowPitch * rows; }
  // What is XORed onto the chunk number of `row`. Linear over the bits of the row.
  int64_t mask(int64_t row) const { return row / rowsPerWave & (chunks - 1); }
  // Byte offset of the element in `column` of `row`.
  int64_t offset(int64_t row, int64_t column) const {
    int64_t byte = column * elementBytes;
    return row * rowPitch + ((byte / chunkBytes ^ mask(row)) * chunkBytes) + byte % chunkBytes;
  }
  int64_t rowsPerStep() const { return rowsPerWave; } // rows with the same mask
  int64_t masks() const { return chunks; }            // a power of two

private:
  int64_t rows = 1, elementBytes, rowPitch, rowsPerWave = 1, chunks = 1;
};

} // namespace tessera
