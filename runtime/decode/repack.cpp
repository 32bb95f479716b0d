#include "runtime/decode/repack.h"
#include "runtime/driver/thread_pool.h"
#include <bit>
#include <cassert>
#include <cstring>

namespace tessera::decode {

static_assert(std::endian::native == std::endian::little, "nibbles are moved as 32-bit words");

namespace {

uint32_t word(const std::byte *from) {
  uint32_t value;
  std::memcpy(&value, from, 4);
  return value;
}

// Where one block of one row goes: word w of its codes lies at 64 * w + 4 * row of the panel piece (4 codes of 8 bits,
// or 8 of 4 bits: the low nibbles hold codes 8w..8w+3, the high ones 8w+4..8w+7).
struct Place {
  std::byte *piece;
  int row;
  void put(int w, uint32_t value) const { std::memcpy(piece + 64 * w + 4 * row, &value, 4); }
};

// File nibbles: byte j holds value j low and value j + 16 high.
void putNibbles(const std::byte *codes, Place place) {
  constexpr uint32_t low = 0x0f0f0f0f;
  uint32_t q[4] = {word(codes), word(codes + 4), word(codes + 8), word(codes + 12)};
  place.put(0, (q[0] & low) | (q[1] & low) << 4);
  place.put(1, (q[2] & low) | (q[3] & low) << 4);
  place.put(2, (q[0] >> 4 & low) | (q[1] & ~low));
  place.put(3, (q[2] >> 4 & low) | (q[3] & ~low));
}

// Signed bytes become unsigned by adding 128, which flips the top bit.
void putBytes(const std::byte *codes, Place place) {
  for (int w = 0; w < 8; ++w)
    place.put(w, word(codes + 4 * w) ^ 0x80808080);
}

// File block: f16 scale, f16 min where the format has one, codes.
void putBlock(const PackedFormat &format, const std::byte *block, Place place) {
  std::byte *scales = place.piece + panelRows * format.block * format.bits / 8;
  std::memcpy(scales + 2 * place.row, block, 2);
  if (format.hasMin)
    std::memcpy(scales + 2 * panelRows + 2 * place.row, block + 2, 2);
  const std::byte *codes = block + (format.hasMin ? 4 : 2);
  format.bits == 4 ? putNibbles(codes, place) : putBytes(codes, place);
}

} // namespace

void repack(DType format, int64_t columns, std::span<const FileRows> parts, std::span<std::byte> panels,
            ThreadPool *pool) {
  const PackedFormat &packed = *info(format).packed;
  int64_t blocks = columns / packed.block, rowBytes = blocks * packed.fileBlockBytes;
  int64_t pieceBytes = panelBlockBytes(packed), rows = 0;
  for (const FileRows &part : parts) {
    assert(int64_t(part.bytes.size()) == part.rows * rowBytes);
    rows += part.rows;
  }
  assert(int64_t(panels.size()) == panelBytes(format, rows, columns));
  auto rowAt = [&](int64_t row) {
    size_t part = 0;
    for (; row >= parts[part].rows; ++part)
      row -= parts[part].rows;
    return parts[part].bytes.data() + row * rowBytes;
  };
  auto work = [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      std::byte *out = panels.data() + panel * blocks * pieceBytes;
      if ((panel + 1) * panelRows > rows)
        std::memset(out, 0, size_t(blocks * pieceBytes));
      for (int r = 0; r < panelRows && panel * panelRows + r < rows; ++r) {
        const std::byte *in = rowAt(panel * panelRows + r);
        for (int64_t b = 0; b < blocks; ++b)
          putBlock(packed, in + b * packed.fileBlockBytes, {out + b * pieceBytes, r});
      }
    }
  };
  int64_t count = (rows + panelRows - 1) / panelRows;
  pool ? pool->each(count, work) : work(0, count);
}

} // namespace tessera::decode
