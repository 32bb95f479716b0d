// repack: packed weights from the row-after-row blocks of a GGUF file into the panels that kernels read.
#pragma once
#include "base/dtype.h"
#include <cstddef>
#include <cstdint>
#include <span>

namespace tessera {
class ThreadPool;
}

namespace tessera::decode {

// Consecutive rows of a packed matrix as a file holds them: columns / block file blocks a row.
struct FileRows {
  std::span<const std::byte> bytes;
  int64_t rows;
};

// Writes `parts`, one below the other, as one matrix of `columns` columns into `panels`, which must have
// panelBytes(format, all rows, columns) bytes. Codes, scales and mins keep their bits; signed codes gain the format's
// bias; rows past the end become zeros. Every part must have exactly its rows' bytes. `pool` may be null.
// Layouts: base/dtype.h (panels), operators.md 1.6 (file).
void repack(DType format, int64_t columns, std::span<const FileRows> parts, std::span<std::byte> panels,
            ThreadPool *pool);

} // namespace tessera::decode
