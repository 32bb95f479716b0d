// Rows of logits as golden files hold them: every so many of them, in f16 and base64.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

// Little-endian f16 numbers in base64 without line breaks.
inline std::vector<double> decodeHalfs(const std::string &text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  unsigned pending = 0;
  int bits = 0;
  for (char c : text) {
    if (c == '=')
      break;
    pending = pending << 6 | unsigned(digits.find(c));
    if ((bits += 6) >= 8)
      bytes.push_back(uint8_t(pending >> (bits -= 8)));
  }
  std::vector<double> values;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    values.push_back(double(std::bit_cast<_Float16>(uint16_t(bytes[i] | bytes[i + 1] << 8))));
  return values;
}

// The cosine of `row`, thinned to every stride-th element, with `want`.
inline double cosine(std::span<const float> row, size_t stride, std::span<const double> want) {
  double dot = 0, a = 0, b = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    double x = row[i * stride];
    dot += x * want[i], a += x * x, b += want[i] * want[i];
  }
  return dot / std::sqrt(a * b);
}

} // namespace tessera
