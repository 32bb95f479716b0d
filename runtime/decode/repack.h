// repack: weights from the rows of a GGUF file, quantized or plain, into the panels that kernels read.
#pragma once
#include "base/dtype.h"
#include <cstddef>
#include <cstdint>
#include <span>

namespace tessera {
class ThreadPool;
}

namespace tessera::decode {

// Consecutive rows of a matrix as a file holds them.
struct FileRows {
  std::span<const std::byte> bytes;
  int64_t rows;
};

// Bytes of a row in a file, of the format that becomes these panels: f16 values for panel_f16, and so on.
int64_t fileRowBytes(DType format, int64_t columns);

// Writes `parts`, one below the other, as one matrix of `columns` columns into `panels`, which must have
// panelBytes(format, all rows, columns) bytes. Codes, scales and mins keep their bits; signed codes gain the format's
// bias; rows past the end become zeros. Every part must have exactly its rows' bytes. `pool` may be null.
// Layouts: compiler/layout/panels.h (panels), operators.md 1.6 (file).
void repack(DType format, int64_t columns, std::span<const FileRows> parts, std::span<std::byte> panels,
            ThreadPool *pool);

} // namespace tessera::decode
