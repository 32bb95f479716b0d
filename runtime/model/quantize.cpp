#include "runtime/model/quantize.h"
#include <algorithm>
#include <bit>
#include <cmath>

namespace tessera::model {

namespace {
constexpr size_t blockSize = 32;
using Block = std::span<const float, blockSize>;

template <class T> void put(std::string &out, T value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof(T));
}

// Element j in the low nibble of byte j, element j + 16 in its high nibble.
template <class Code> void putNibbles(std::string &out, Block x, Code code) {
  for (size_t j = 0; j < blockSize / 2; ++j)
    out += char(code(x[j]) | code(x[j + blockSize / 2]) << 4);
}

// w = (q - 8) d, with d such that the value of largest magnitude takes the code 0.
void putQ40(std::string &out, Block x) {
  float extreme = *std::ranges::max_element(x, {}, [](float v) { return std::fabs(v); });
  float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
  put(out, toHalf(d));
  putNibbles(out, x, [&](float v) { return std::min(15, int(v * inverse + 8.5f)); });
}

// w = q d + m, with m the least and m + 15 d the greatest value.
void putQ41(std::string &out, Block x) {
  auto [least, greatest] = std::ranges::minmax(x);
  float d = (greatest - least) / 15, inverse = d != 0 ? 1 / d : 0;
  put(out, toHalf(d));
  put(out, toHalf(least));
  putNibbles(out, x, [&](float v) { return std::min(15, int((v - least) * inverse + 0.5f)); });
}

// w = q d, halves away from zero.
void putQ80(std::string &out, Block x) {
  float most = 0;
  for (float v : x)
    most = std::max(most, std::fabs(v));
  float d = most / 127, inverse = d != 0 ? 1 / d : 0;
  put(out, toHalf(d));
  for (float v : x)
    put(out, int8_t(std::roundf(v * inverse)));
}
} // namespace

uint16_t toHalf(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  bits &= 0x7FFFFFFF;
  if (bits > 0x7F800000)
    return sign | 0x7E00;
  if (bits >= 0x477FF000) // rounds to 2^16 or more
    return sign | 0x7C00;
  if (bits < 0x38800000) { // below 2^-14: adding 1/2 lets the float unit round at the subnormal's last bit
    float shifted = std::bit_cast<float>(bits) + 0.5f;
    return sign | uint16_t(std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f));
  }
  bits += 0xFFF + (bits >> 13 & 1);
  return sign | uint16_t((bits - 0x38000000) >> 13);
}

float fromHalf(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, rest = bits & 0x7FFF;
  if (rest >= 0x7C00)
    return std::bit_cast<float>(sign | 0x7F800000 | (rest & 0x3FF) << 13);
  // The half's exponent and mantissa read as a float are 2^-112 times its value; that factor is exact.
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(rest << 13) * 0x1p112f));
}

bool canQuantize(const GgmlType &type) {
  return type.dtype == f32 || type.dtype == f16 || type.dtype == q4_0 || type.dtype == q4_1 || type.dtype == q8_0;
}

std::string quantizeRows(const GgmlType &type, std::span<const float> values) {
  std::string out;
  out.reserve(values.size() / size_t(type.block) * size_t(type.blockBytes));
  if (!isPacked(*type.dtype)) {
    for (float value : values)
      type.dtype == f32 ? put(out, value) : put(out, toHalf(value));
    return out;
  }
  auto putBlock = type.dtype == q4_0 ? putQ40 : type.dtype == q4_1 ? putQ41 : putQ80;
  for (size_t at = 0; at < values.size(); at += blockSize)
    putBlock(out, Block(values.data() + at, blockSize));
  return out;
}

} // namespace tessera::model
