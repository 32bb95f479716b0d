#include "ops/reference/formats.h"
#include <bit>
#include <cmath>
#include <cstring>

namespace tessera::reference {

float fromF16(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) {
    uint32_t wide = uint32_t(bits >> 15) << 31 | 0x7f800000u | uint32_t(fraction) << 13;
    return std::bit_cast<float>(wide);
  }
  if (exponent == 0)
    return sign * std::ldexp(float(fraction), -24);
  return sign * std::ldexp(float(1024 + fraction), exponent - 25);
}

// Rounds |value| to a multiple of the step that its exponent allows; nearbyint ties to even in the default mode.
uint16_t toF16(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | 0x7e00;
  double magnitude = std::fabs(double(value));
  int exponent = magnitude == 0 ? -14 : std::max(std::ilogb(magnitude), -14);
  double units = std::nearbyint(std::ldexp(magnitude, 10 - exponent)); // 1024..2048 where normal
  if (std::isinf(value) || std::ldexp(units, exponent - 10) > 65504.0)
    return sign | 0x7c00;
  // A carry out of the fraction (units == 2048) moves into the exponent by itself.
  return sign | uint16_t(uint32_t((exponent + 14) << 10) + uint32_t(units));
}

float fromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t toBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x40);
  uint32_t dropped = bits & 0xffff, kept = bits >> 16;
  return uint16_t(kept + (dropped > 0x8000 || (dropped == 0x8000 && (kept & 1))));
}

std::vector<std::byte> encode(DType dtype, std::span<const float> values) {
  size_t width = info(dtype).bits / 8;
  std::vector<std::byte> bytes(values.size() * width);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t half = dtype == f16 ? toF16(values[i]) : toBf16(values[i]);
    std::memcpy(&bytes[i * width], width == 4 ? (const void *)&values[i] : (const void *)&half, width);
  }
  return bytes;
}

std::vector<float> decode(DType dtype, std::span<const std::byte> bytes) {
  size_t width = info(dtype).bits / 8;
  std::vector<float> values(bytes.size() / width);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t half = 0;
    if (width == 4)
      std::memcpy(&values[i], &bytes[i * 4], 4);
    else {
      std::memcpy(&half, &bytes[i * 2], 2);
      values[i] = dtype == f16 ? fromF16(half) : fromBf16(half);
    }
  }
  return values;
}

std::vector<float> PackedMatrix::values() const {
  const PackedFormat &row = *info(format).packed;
  std::vector<float> result(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    double product = double(int(codes[i]) - row.bias) * fromF16(scale[i / 32]);
    result[i] = float(product + (row.hasMin ? double(fromF16(min[i / 32])) : 0.0));
  }
  return result;
}

static PackedMatrix empty(DType format, int64_t rows, int64_t columns) {
  PackedMatrix m{format, rows, columns, {}, {}, {}};
  m.codes.resize(rows * columns);
  m.scale.resize(rows * columns / 32);
  if (info(format).packed->hasMin)
    m.min.resize(rows * columns / 32);
  return m;
}

// Calls visit(block, element within the block, byte of the codes, shift) for every element in file order.
template <class Visit> static void eachFileCode(const PackedFormat &row, int64_t blocks, Visit visit) {
  for (int64_t block = 0; block < blocks; ++block)
    for (int j = 0; j < 32; ++j)
      row.bits == 8 ? visit(block, j, j, 0) : visit(block, j, j % 16, j < 16 ? 0 : 4);
}

PackedMatrix fromFile(DType format, int64_t rows, int64_t columns, std::span<const std::byte> bytes) {
  const PackedFormat &row = *info(format).packed;
  PackedMatrix m = empty(format, rows, columns);
  int header = row.hasMin ? 4 : 2;
  for (size_t block = 0; block < m.scale.size(); ++block) {
    std::memcpy(&m.scale[block], &bytes[block * row.fileBlockBytes], 2);
    if (row.hasMin)
      std::memcpy(&m.min[block], &bytes[block * row.fileBlockBytes + 2], 2);
  }
  eachFileCode(row, m.scale.size(), [&](int64_t block, int j, int at, int shift) {
    int byte = int(bytes[block * row.fileBlockBytes + header + at]);
    // Files store Q8_0 as signed bytes: flipping the top bit adds the bias of 128.
    m.codes[block * 32 + j] = row.bits == 8 ? byte ^ 128 : byte >> shift & 15;
  });
  return m;
}

std::vector<std::byte> toFile(const PackedMatrix &m) {
  const PackedFormat &row = *info(m.format).packed;
  std::vector<std::byte> bytes(m.scale.size() * row.fileBlockBytes);
  int header = row.hasMin ? 4 : 2;
  for (size_t block = 0; block < m.scale.size(); ++block) {
    std::memcpy(&bytes[block * row.fileBlockBytes], &m.scale[block], 2);
    if (row.hasMin)
      std::memcpy(&bytes[block * row.fileBlockBytes + 2], &m.min[block], 2);
  }
  eachFileCode(row, m.scale.size(), [&](int64_t block, int j, int at, int shift) {
    int code = m.codes[block * 32 + j];
    bytes[block * row.fileBlockBytes + header + at] |= std::byte(row.bits == 8 ? code ^ 128 : code << shift);
  });
  return bytes;
}

// Where the parts of one 16-row, 32-column piece of a panel lie.
struct PanelPiece {
  const PackedFormat &row;
  int64_t origin, codeBytes;
  PanelPiece(const PackedFormat &row, int64_t blocksPerRow, int64_t n, int64_t block)
      : row(row), origin((n / 16 * blocksPerRow + block) * panelBlockBytes(row)), codeBytes(16 * 32 * row.bits / 8) {}
  int64_t code(int64_t n, int k) const {
    return origin + (row.bits == 8 ? k / 4 * 64 : k / 8 * 64) + n % 16 * 4 + k % 4;
  }
  int shift(int k) const { return row.bits == 8 ? 0 : k / 4 % 2 * 4; }
  int64_t scale(int64_t n) const { return origin + codeBytes + n % 16 * 2; }
  int64_t min(int64_t n) const { return scale(n) + 32; }
};

PackedMatrix fromPanels(DType format, int64_t rows, int64_t columns, std::span<const std::byte> bytes) {
  const PackedFormat &row = *info(format).packed;
  PackedMatrix m = empty(format, rows, columns);
  int64_t perRow = columns / 32;
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t block = 0; block < perRow; ++block) {
      PanelPiece piece(row, perRow, n, block);
      std::memcpy(&m.scale[n * perRow + block], &bytes[piece.scale(n)], 2);
      if (row.hasMin)
        std::memcpy(&m.min[n * perRow + block], &bytes[piece.min(n)], 2);
      for (int k = 0; k < 32; ++k)
        m.codes[n * columns + block * 32 + k] = int(bytes[piece.code(n, k)]) >> piece.shift(k) & ((1 << row.bits) - 1);
    }
  return m;
}

std::vector<std::byte> toPanels(const PackedMatrix &m) {
  const PackedFormat &row = *info(m.format).packed;
  std::vector<std::byte> bytes(panelBytes(m.format, m.rows, m.columns));
  int64_t perRow = m.columns / 32;
  for (int64_t n = 0; n < m.rows; ++n)
    for (int64_t block = 0; block < perRow; ++block) {
      PanelPiece piece(row, perRow, n, block);
      std::memcpy(&bytes[piece.scale(n)], &m.scale[n * perRow + block], 2);
      if (row.hasMin)
        std::memcpy(&bytes[piece.min(n)], &m.min[n * perRow + block], 2);
      for (int k = 0; k < 32; ++k)
        bytes[piece.code(n, k)] |= std::byte(m.codes[n * m.columns + block * 32 + k] << piece.shift(k));
    }
  return bytes;
}

} // namespace tessera::reference
