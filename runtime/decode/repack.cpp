#include "runtime/decode/repack.h"
#include "compiler/layout/panels.h"
#include "runtime/driver/thread_pool.h"
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace tessera::decode {

static_assert(std::endian::native == std::endian::little, "codes are moved as 32-bit words");

namespace {

// Fields of `bits` bits of the codes of a file block: `run` codes lie in consecutive bytes, the next `run` codes in the
// bits above them, and so on until the bytes are full.
struct FilePlane {
  int offset, bits, run;
};
// How scales and mins lie in a file: f16 each; one signed byte each; or 8 pairs of 6 bits in 12 bytes.
enum class FileScales : uint8_t { half, byte, sixBits };

// One row a format. Source: the block structs of ggml-common.h and dequantize_row_* of ggml-quants.c.
struct FileBlock {
  DType format;
  FilePlane planes[2]; // the second has no bits where a code has one part
  FileScales kind;
  int scales;        // offset
  int super;         // offset of d where there are two levels; dmin follows it
  uint32_t flip = 0; // bits of four codes that differ from the unsigned code
};
constexpr std::array fileBlocks = {
    FileBlock{q4_0, {{2, 4, 16}, {}}, FileScales::half, 0, 0},
    FileBlock{q4_1, {{4, 4, 16}, {}}, FileScales::half, 0, 0},
    FileBlock{q5_0, {{6, 4, 16}, {2, 1, 1}}, FileScales::half, 0, 0},
    FileBlock{q5_1, {{8, 4, 16}, {4, 1, 1}}, FileScales::half, 0, 0},
    FileBlock{q8_0, {{2, 8, 32}, {}}, FileScales::half, 0, 0, 0x80808080},
    FileBlock{q4_k, {{16, 4, 32}, {}}, FileScales::sixBits, 4, 0},
    FileBlock{q5_k, {{48, 4, 32}, {16, 1, 32}}, FileScales::sixBits, 4, 0},
    FileBlock{q6_k, {{0, 4, 64}, {128, 2, 32}}, FileScales::byte, 192, 208},
};

const FileBlock &fileBlock(DType format) {
  for (const FileBlock &row : fileBlocks)
    if (row.format == format)
      return row;
  assert(false);
  return fileBlocks[0];
}

constexpr int largestBlock = 256;
using Codes = std::array<uint8_t, largestBlock>;

// Adds a plane's bits, moved up by `up`, to the codes.
void unpack(const FilePlane &plane, int block, int up, const uint8_t *bytes, Codes &codes) {
  int fields = 8 / plane.bits, mask = (1 << plane.bits) - 1, code = 0;
  for (bytes += plane.offset; code < block; bytes += plane.run)
    for (int field = 0; field < fields; ++field)
      for (int i = 0; i < plane.run; ++i)
        codes[size_t(code++)] |= uint8_t((bytes[i] >> (field * plane.bits) & mask) << up);
}

// How the elements of an array, or the words of a plane, follow each other in a panel block: bytes of the first, from
// row to row, and from one to the next of a row. Out of the panels' layout.
struct Walk {
  int64_t offset = 0, row = 0, next = 0;
  int bits = 0, shift = 0;         // of a plane of codes
  std::array<uint8_t, 8> shifts{}; // of the quads of columns that share a word
  int64_t quads = 0;
};

Walk walkOf(const Panel &panel, PanelArray array) {
  const PanelPart *part = panel.find(array);
  if (!part)
    return {};
  bool plane = array <= PanelArray::highCodes && !panel.format.isValues();
  int64_t columns = plane ? part->word().block()[1] : part->columns;
  Walk walk{part->byteOf(0, 0), part->stride(0, 1), part->stride(1, columns), part->bits, part->shift};
  for (int64_t quad = 0; plane && quad < columns; quad += 4)
    walk.shifts[size_t(walk.quads++)] = uint8_t(part->shiftOf(0, quad));
  return walk;
}

// A format's walks, made once a matrix: the loops below are those of every block.
struct Packing {
  const PackedFormat &format;
  Walk codes, highCodes, scales, mins, superScales, superMins;
  explicit Packing(const Panel &panel)
      : format(panel.format), codes(walkOf(panel, PanelArray::codes)), highCodes(walkOf(panel, PanelArray::highCodes)),
        scales(walkOf(panel, PanelArray::scales)), mins(walkOf(panel, PanelArray::mins)),
        superScales(walkOf(panel, PanelArray::superScales)), superMins(walkOf(panel, PanelArray::superMins)) {}
};

// Where one block of one row goes.
struct Place {
  std::byte *piece;
  int row;
  // Element or word `i` of an array, `width` bytes.
  void put(const Walk &walk, int64_t i, const void *value, int64_t width) const {
    std::memcpy(piece + walk.offset + i * walk.next + row * walk.row, value, size_t(width));
  }
};

// `plane` is a copy, which nothing that is written can change.
template <int quads> void putWords(const Walk plane, int block, const Codes &codes, uint32_t flip, Place place) {
  uint32_t mask = ((1u << plane.bits) - 1) * 0x01010101u;
  for (int word = 0; word < block / (4 * quads); ++word) {
    uint32_t bits = 0;
    for (int quad = 0; quad < quads; ++quad) {
      uint32_t four;
      std::memcpy(&four, &codes[size_t(4 * (word * quads + quad))], 4);
      bits |= ((four ^ flip) >> plane.shift & mask) << plane.shifts[size_t(quad)];
    }
    place.put(plane, word, &bits, 4);
  }
}

void putCodes(const Walk &plane, int block, const Codes &codes, uint32_t flip, Place place) {
  auto put = plane.quads == 1   ? putWords<1>
             : plane.quads == 2 ? putWords<2>
             : plane.quads == 4 ? putWords<4>
                                : putWords<8>;
  put(plane, block, codes, flip, place);
}

// The 6-bit scale and min of group `g`: get_scale_min_k4 of ggml-quants.c.
std::pair<uint8_t, uint8_t> sixBits(const uint8_t *q, int g) {
  if (g < 4)
    return {uint8_t(q[g] & 63), uint8_t(q[g + 4] & 63)};
  return {uint8_t((q[g + 4] & 15) | q[g - 4] >> 6 << 4), uint8_t(q[g + 4] >> 4 | q[g] >> 6 << 4)};
}

void putScales(const Packing &to, const FileBlock &file, const uint8_t *block, Place place) {
  const uint8_t *scales = block + file.scales;
  for (int g = 0; g < to.format.groups(); ++g) {
    if (file.kind == FileScales::half) {
      place.put(to.scales, g, scales, 2);
      if (to.format.hasMin)
        place.put(to.mins, g, scales + 2, 2);
    } else if (file.kind == FileScales::byte) {
      place.put(to.scales, g, scales + g, 1);
    } else {
      auto [scale, min] = sixBits(scales, g);
      place.put(to.scales, g, &scale, 1);
      place.put(to.mins, g, &min, 1);
    }
  }
  if (!to.format.twoLevels())
    return;
  place.put(to.superScales, 0, block + file.super, 2);
  if (!to.format.hasMin)
    return;
  uint16_t min;
  std::memcpy(&min, block + file.super + 2, 2);
  min ^= 0x8000; // files subtract the min, kernels add it
  place.put(to.superMins, 0, &min, 2);
}

void putBlock(const Packing &to, const FileBlock &file, const std::byte *bytes, Place place) {
  const uint8_t *block = reinterpret_cast<const uint8_t *>(bytes);
  Codes codes{};
  unpack(file.planes[0], to.format.block, 0, block, codes);
  if (file.planes[1].bits)
    unpack(file.planes[1], to.format.block, 4, block, codes);
  putCodes(to.codes, to.format.block, codes, file.flip, place);
  if (to.highCodes.bits)
    putCodes(to.highCodes, to.format.block, codes, file.flip, place);
  putScales(to, file, block, place);
}

// Values have one column a block, and files hold them plain.
template <class T> void putValues(const Packing &to, const std::byte *row, int64_t columns, Place place) {
  int64_t blockBytes = panelBlockBytes(to.format);
  for (int64_t k = 0; k < columns; ++k, place.piece += blockBytes)
    place.put(to.codes, 0, row + k * int64_t(sizeof(T)), sizeof(T));
}

} // namespace

int64_t fileRowBytes(DType format, int64_t columns) {
  const PackedFormat &packed = *info(format).packed;
  return packed.isValues() ? columns * packed.bits / 8 : columns / packed.block * packed.fileBlockBytes;
}

void repack(DType format, int64_t columns, std::span<const FileRows> parts, std::span<std::byte> panels,
            ThreadPool *pool) {
  const Packing to(panelOf(format));
  const PackedFormat &packed = to.format;
  int64_t blocks = columns / packed.block, rowBytes = fileRowBytes(format, columns);
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
  auto putRow = [&](const std::byte *in, Place place) {
    if (packed.isValues())
      return packed.bits == 16 ? putValues<uint16_t>(to, in, columns, place)
                               : putValues<uint32_t>(to, in, columns, place);
    const FileBlock &file = fileBlock(format);
    for (int64_t b = 0; b < blocks; ++b)
      putBlock(to, file, in + b * packed.fileBlockBytes, {place.piece + b * pieceBytes, place.row});
  };
  auto work = [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) {
      std::byte *out = panels.data() + panel * blocks * pieceBytes;
      if ((panel + 1) * panelRows > rows)
        std::memset(out, 0, size_t(blocks * pieceBytes));
      for (int r = 0; r < panelRows && panel * panelRows + r < rows; ++r)
        putRow(rowAt(panel * panelRows + r), {out, r});
    }
  };
  int64_t count = (rows + panelRows - 1) / panelRows;
  pool ? pool->each(count, work) : work(0, count);
}

} // namespace tessera::decode
