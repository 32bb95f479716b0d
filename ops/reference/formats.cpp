#include "ops/reference/formats.h"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <type_traits>

namespace tessera::reference {

static float valueOfF16(uint16_t bits) {
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

float fromF16(uint16_t bits) {
  static const std::vector<float> values = [] {
    std::vector<float> all;
    for (int i = 0; i < 1 << 16; ++i)
      all.push_back(valueOfF16(uint16_t(i)));
    return all;
  }();
  return values[bits];
}

// Rounds |value| to a multiple of the step that its exponent allows; nearbyint ties to even in the default mode.
uint16_t toF16(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value))
    return sign | 0x7e00;
  const uint32_t magnitude = std::bit_cast<uint32_t>(value) & 0x7fffffff;
  if (magnitude >= 0x477ff000) // 65520, half a step above the largest
    return sign | 0x7c00;
  if (magnitude < 0x38800000) // below 2^-14: a multiple of 2^-24
    return sign | uint16_t(std::nearbyint(std::fabs(double(value)) * 0x1p24));
  // A carry out of the fraction moves into the exponent by itself.
  return sign | uint16_t((magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13);
}

float fromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

uint16_t toBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x40);
  uint32_t dropped = bits & 0xffff, kept = bits >> 16;
  return uint16_t(kept + (dropped > 0x8000 || (dropped == 0x8000 && (kept & 1))));
}

float fromFloat8(DType dtype, uint8_t bits) {
  int mantissaBits = dtype == e4m3 ? 3 : 2, bias = dtype == e4m3 ? 7 : 15;
  int magnitude = bits & 0x7f, exponent = magnitude >> mantissaBits, mantissa = magnitude & ((1 << mantissaBits) - 1);
  float sign = bits & 0x80 ? -1.0f : 1.0f;
  if (dtype == e4m3 ? magnitude == 0x7f : magnitude > 0x7c)
    return sign * NAN;
  if (dtype == e5m2 && magnitude == 0x7c)
    return sign * INFINITY;
  int whole = exponent ? (1 << mantissaBits) + mantissa : mantissa;
  return sign * std::ldexp(float(whole), std::max(exponent, 1) - bias - mantissaBits);
}

static std::vector<float> finiteFloat8(DType dtype) {
  std::vector<float> values;
  for (int code = 0; code <= (dtype == e4m3 ? 0x7e : 0x7b); ++code)
    values.push_back(fromFloat8(dtype, uint8_t(code)));
  return values;
}

// The nearest of all finite codes, which ascend with their values; of two that are as near, the even one.
uint8_t toFloat8(DType dtype, float value) {
  uint8_t sign = std::signbit(value) ? 0x80 : 0, best = 0;
  if (std::isnan(value))
    return sign | 0x7f;
  static const std::vector<float> finite[] = {finiteFloat8(e4m3), finiteFloat8(e5m2)};
  const std::vector<float> &values = finite[dtype == e5m2];
  double magnitude = std::min(std::fabs(double(value)), double(values.back()));
  auto above = uint8_t(std::ranges::lower_bound(values, magnitude) - values.begin());
  if (above) {
    double up = values[above] - magnitude, down = magnitude - values[above - 1u];
    best = down < up || (down == up && above % 2) ? above - 1 : above;
  }
  return sign | best;
}

std::vector<std::byte> encode(DType dtype, std::span<const float> values) {
  size_t width = info(dtype).bits / 8;
  std::vector<std::byte> bytes(values.size() * width);
  for (size_t i = 0; i < values.size(); ++i) {
    if (isFloat8(dtype)) {
      bytes[i] = std::byte(toFloat8(dtype, values[i]));
      continue;
    }
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
    if (isFloat8(dtype))
      values[i] = fromFloat8(dtype, uint8_t(bytes[i]));
    else if (width == 4)
      std::memcpy(&values[i], &bytes[i * 4], 4);
    else {
      std::memcpy(&half, &bytes[i * 2], 2);
      values[i] = dtype == f16 ? fromF16(half) : fromBf16(half);
    }
  }
  return values;
}

static PackedMatrix empty(DType format, int64_t rows, int64_t columns) {
  PackedMatrix m{format, rows, columns, {}, {}, {}};
  const PackedFormat &row = *info(format).packed;
  size_t count = size_t(rows * columns), groups = count / size_t(row.group), blocks = count / size_t(row.block);
  m.codes.resize(count);
  m.scale.resize(groups);
  m.min.resize(row.hasMin ? groups : 0);
  if (row.group != row.block) {
    m.superScale.resize(blocks);
    m.superMin.resize(row.hasMin ? blocks : 0);
  }
  return m;
}

namespace {
// `bits` bits of a block's byte, from `shift` up, which are the bits from `to` up of a number.
struct Field {
  int64_t byte;
  int shift, bits, to = 0;
};
// One or two of them, in a row.
class Fields {
public:
  Fields(std::initializer_list<Field> list) : count(list.size()) { std::ranges::copy(list, fields); }
  const Field *begin() const { return fields; }
  const Field *end() const { return fields + count; }

private:
  Field fields[2];
  size_t count;
};

// Where a block of a file keeps its numbers. Source: the block structs and dequantize_row_* of ggml-quants.c.
struct FileBlock {
  DType format;

  Fields code(int j) const {
    switch (format) {
    case q4_0:
      return {{2 + j % 16, j / 16 * 4, 4}};
    case q4_1:
      return {{4 + j % 16, j / 16 * 4, 4}};
    case q5_0: // d, qh[4], qs[16]
      return {{6 + j % 16, j / 16 * 4, 4}, {2 + j / 8, j % 8, 1, 4}};
    case q5_1: // d, m, qh[4], qs[16]
      return {{8 + j % 16, j / 16 * 4, 4}, {4 + j / 8, j % 8, 1, 4}};
    case q8_0:
      return {{2 + j, 0, 8}};
    case q4_k: // d, dmin, scales[12], qs[128]
      return {{16 + j / 64 * 32 + j % 32, j % 64 / 32 * 4, 4}};
    case q5_k: // d, dmin, scales[12], qh[32], qs[128]
      return {{48 + j / 64 * 32 + j % 32, j % 64 / 32 * 4, 4}, {16 + j % 32, j / 32, 1, 4}};
    default: // q6_k: ql[128], qh[64], scales[16], d
      return {{j / 128 * 64 + j % 64, j % 128 / 64 * 4, 4}, {128 + j / 128 * 32 + j % 32, j % 128 / 32 * 2, 2, 4}};
    }
  }
  Fields scale(int g) const {
    if (format == q6_k)
      return {{192 + g, 0, 8}};
    if (format != q4_k && format != q5_k)
      return half(0);
    return g < 4 ? Fields{{4 + g, 0, 6}} : Fields{{8 + g, 0, 4}, {g, 6, 2, 4}};
  }
  Fields min(int g) const {
    if (format != q4_k && format != q5_k)
      return half(2);
    return g < 4 ? Fields{{8 + g, 0, 6}} : Fields{{8 + g, 4, 4}, {4 + g, 6, 2, 4}};
  }
  Fields superScale() const { return half(format == q6_k ? 208 : 0); }
  Fields superMin() const { return half(2); }
  static Fields half(int byte) { return {{byte, 0, 8}, {byte + 1, 0, 8, 8}}; }
};

int get(const std::byte *block, const Fields &fields) {
  int number = 0;
  for (const Field &f : fields)
    number |= (int(block[f.byte]) >> f.shift & ((1 << f.bits) - 1)) << f.to;
  return number;
}
void put(std::byte *block, const Fields &fields, int number) {
  for (const Field &f : fields)
    block[f.byte] |= std::byte((number >> f.to & ((1 << f.bits) - 1)) << f.shift);
}

// Calls visit(number, fields, block of the matrix) for everything that a file stores of `m`, in both directions.
template <class Matrix, class Visit> void eachNumber(Matrix &m, Visit visit) {
  const PackedFormat &row = *info(m.format).packed;
  FileBlock file{m.format};
  size_t block = size_t(row.block), group = size_t(row.group);
  for (size_t i = 0; i < m.codes.size(); ++i)
    visit(m.codes[i], file.code(int(i % block)), i / block);
  for (size_t i = 0; i < m.scale.size(); ++i)
    visit(m.scale[i], file.scale(int(i % (block / group))), i * group / block);
  for (size_t i = 0; i < m.min.size(); ++i)
    visit(m.min[i], file.min(int(i % (block / group))), i * group / block);
  for (size_t i = 0; i < m.superScale.size(); ++i)
    visit(m.superScale[i], file.superScale(), i);
  for (size_t i = 0; i < m.superMin.size(); ++i)
    visit(m.superMin[i], file.superMin(), i);
}
} // namespace

PackedMatrix fromFile(DType format, int64_t rows, int64_t columns, std::span<const std::byte> bytes) {
  PackedMatrix m = empty(format, rows, columns);
  size_t stride = size_t(info(format).packed->fileBlockBytes);
  eachNumber(m, [&](auto &number, const Fields &fields, size_t block) {
    number = std::remove_reference_t<decltype(number)>(get(&bytes[block * stride], fields));
  });
  if (format == q8_0) // files store signed bytes: flipping the top bit adds the bias of 128
    for (uint8_t &code : m.codes)
      code ^= 128;
  return m;
}

std::vector<std::byte> toFile(const PackedMatrix &m) {
  const PackedFormat &row = *info(m.format).packed;
  size_t stride = size_t(row.fileBlockBytes);
  std::vector<std::byte> bytes(m.codes.size() / size_t(row.block) * stride);
  eachNumber(
      m, [&](const auto &number, const Fields &fields, size_t block) { put(&bytes[block * stride], fields, number); });
  if (m.format == q8_0)
    for (size_t i = 0; i < bytes.size(); ++i)
      if (i % stride >= 2)
        bytes[i] ^= std::byte(128);
  return bytes;
}

std::vector<std::byte> randomFile(DType format, int64_t rows, int64_t columns, uint32_t seed, bool wild) {
  std::mt19937 random(seed);
  PackedMatrix m = empty(format, rows, columns);
  const PackedFormat &row = *info(format).packed;
  for (uint8_t &code : m.codes)
    code = uint8_t(random() & ((1u << row.bits) - 1));
  auto half = [&](float scale) {
    if (wild) // subnormals too
      return uint16_t((random() & 0x83ff) | (random() % 28) << 10);
    return toF16((random() % 8 ? scale : -scale) *
                 (0.01f + float(random() % 1000) * 1e-4f)); // files hold negative ones
  };
  bool bytes = !m.superScale.empty();
  unsigned mask = format == q6_k ? 255 : 63;
  for (uint16_t &scale : m.scale)
    scale = bytes ? uint16_t(random() & mask) : half(1);
  for (uint16_t &min : m.min)
    min = bytes ? uint16_t(random() & mask) : half(-7.5f);
  for (uint16_t &scale : m.superScale)
    scale = half(0.03f);
  for (uint16_t &min : m.superMin)
    min = half(0.2f);
  return toFile(m);
}

// Where the parts of one 16-row piece of a panel lie, one block of columns long.
namespace {
struct PanelPiece {
  const PackedFormat &row;
  int64_t origin, r;
  PanelPiece(const PackedFormat &row, int64_t blocksPerRow, int64_t n, int64_t block)
      : row(row), origin((n / 16 * blocksPerRow + block) * panelBlockBytes(row)), r(n % 16) {}

  // A code's low 4 (or 8) bits and those above.
  Fields code(int k) const {
    if (row.bits == 8)
      return {{origin + k / 4 * 64 + r * 4 + k % 4, 0, 8}};
    const Field low = {origin + k / 8 * 64 + r * 4 + k % 4, k / 4 % 2 * 4, 4};
    int64_t high = origin + 8 * row.block;
    if (row.bits == 5)
      return {low, {high + k / 32 * 64 + r * 4 + k % 4, k / 4 % 8, 1, 4}};
    if (row.bits == 6)
      return {low, {high + k / 16 * 64 + r * 4 + k % 4, k / 4 % 4 * 2, 2, 4}};
    return {low};
  }
  int64_t width() const { return row.group == row.block ? 2 : 1; } // bytes of a scale
  int64_t scale(int64_t group) const { return origin + 2 * row.block * row.bits + (group * 16 + r) * width(); }
  int64_t min(int64_t group) const { return scale(group) + groups() * 16 * width(); }
  int64_t superScale() const {
    return origin + 2 * row.block * row.bits + groups() * 16 * (row.hasMin ? 2 : 1) + r * 2;
  }
  int64_t superMin() const { return superScale() + 32; }
  int64_t groups() const { return row.block / row.group; }
};

// Calls code(number, bits) for every code and bytes(number, byte, width, negated) for every scale and min.
template <class Matrix, class Code, class Bytes> void eachPanelNumber(Matrix &m, Code code, Bytes bytes) {
  const PackedFormat &row = *info(m.format).packed;
  int64_t perRow = m.columns / row.block;
  for (int64_t n = 0; n < m.rows; ++n)
    for (int64_t block = 0; block < perRow; ++block) {
      PanelPiece piece(row, perRow, n, block);
      size_t number = size_t(n * perRow + block), groups = size_t(piece.groups());
      for (int k = 0; k < row.block; ++k)
        code(m.codes[number * size_t(row.block) + size_t(k)], piece.code(k));
      for (size_t g = 0; g < groups; ++g) {
        bytes(m.scale[number * groups + g], piece.scale(int64_t(g)), piece.width(), false);
        if (row.hasMin)
          bytes(m.min[number * groups + g], piece.min(int64_t(g)), piece.width(), false);
      }
      if (!m.superScale.empty())
        bytes(m.superScale[number], piece.superScale(), 2, false);
      if (!m.superMin.empty())
        bytes(m.superMin[number], piece.superMin(), 2, true);
    }
}
} // namespace

PackedMatrix fromPanels(DType format, int64_t rows, int64_t columns, std::span<const std::byte> bytes) {
  PackedMatrix m = empty(format, rows, columns);
  eachPanelNumber(
      m, [&](uint8_t &code, const Fields &fields) { code = uint8_t(get(bytes.data(), fields)); },
      [&](uint16_t &number, int64_t byte, int64_t width, bool negated) {
        std::memcpy(&number, &bytes[size_t(byte)], size_t(width));
        number ^= negated ? 0x8000 : 0;
      });
  return m;
}

std::vector<std::byte> toPanels(const PackedMatrix &m) {
  std::vector<std::byte> bytes(size_t(panelBytes(m.format, m.rows, m.columns)));
  eachPanelNumber(
      m, [&](const uint8_t &code, const Fields &fields) { put(bytes.data(), fields, code); },
      [&](const uint16_t &number, int64_t byte, int64_t width, bool negated) {
        uint16_t stored = number ^ (negated ? 0x8000 : 0);
        std::memcpy(&bytes[size_t(byte)], &stored, size_t(width));
      });
  return bytes;
}

std::vector<std::byte> valuePanels(DType format, int64_t rows, int64_t columns, std::span<const float> values) {
  std::vector<std::byte> dense = encode(info(format).packed->element, values);
  size_t width = dense.size() / std::max<size_t>(values.size(), 1);
  std::vector<std::byte> bytes(size_t(panelBytes(format, rows, columns)));
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t k = 0; k < columns; ++k)
      std::memcpy(&bytes[size_t((n / 16 * columns + k) * 16 + n % 16) * width], &dense[size_t(n * columns + k) * width],
                  width);
  return bytes;
}

} // namespace tessera::reference
