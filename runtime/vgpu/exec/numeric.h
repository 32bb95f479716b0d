// Conversions between f32 and the small formats, lane by lane: f16, bf16, tf32, e4m3, e5m2.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace tessera::vgpu {

inline constexpr uint32_t nanF32 = 0x7fffffff; // what the hardware answers for an invalid operation
inline constexpr uint16_t nanF16 = 0x7fff;

inline float fromF16(uint16_t bits) { return float(std::bit_cast<_Float16>(bits)); }
inline uint16_t toF16(float value) { return value != value ? nanF16 : std::bit_cast<uint16_t>(_Float16(value)); }

inline float fromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
inline uint16_t toBf16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  uint16_t rounded = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  return value != value ? nanF16 : rounded;
}

// The float next to a double, inexact results made odd: rounding it again to a format of fewer bits is then correct.
inline float toOdd(double value) {
  auto f = float(value);
  auto bits = std::bit_cast<uint32_t>(f);
  bool away = std::fabs(double(f)) > std::fabs(value), inexact = double(f) != value;
  bits -= away ? 1 : 0;
  bits |= inexact ? 1 : 0;
  return value != value || std::fabs(value) == INFINITY ? f : std::bit_cast<float>(bits);
}

inline float flush(float value) { return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value; }
inline float canonical(float value) { return value != value ? std::bit_cast<float>(nanF32) : value; }
inline float saturate(float value) { return value > 0 ? (value < 1 ? value : 1) : 0; }

enum class Round : uint8_t { nearest, zero, down, up, nearestAway };

// f32 to a format of `mantissa` explicit bits with f32's exponent range (bf16: 7, tf32: 10), as f32 bits.
inline uint32_t roundMantissa(float value, int mantissa, Round mode) {
  auto bits = std::bit_cast<uint32_t>(value);
  int drop = 23 - mantissa;
  uint32_t low = bits & ((1u << drop) - 1), half = 1u << (drop - 1), kept = bits - low;
  if (value != value || std::isinf(value))
    return value != value ? nanF32 & ~((1u << drop) - 1) : bits;
  bool up = false, negative = bits >> 31;
  switch (mode) {
  case Round::nearest:
    up = low > half || (low == half && (kept >> drop & 1));
    break;
  case Round::nearestAway:
    up = low >= half;
    break;
  case Round::zero:
    break;
  case Round::down:
    up = low && negative;
    break;
  case Round::up:
    up = low && !negative;
    break;
  }
  return kept + (up ? 1u << drop : 0);
}

// f32 to f16 with a rounding mode.
inline uint16_t toF16(float value, Round mode) {
  uint16_t near = toF16(value);
  if (mode == Round::nearest || value != value || std::isinf(value))
    return near;
  float back = fromF16(near);
  bool negative = std::signbit(value);
  bool tooHigh = back > value, tooLow = back < value;
  if (mode == Round::zero)
    return uint16_t(near - ((negative ? tooLow : tooHigh) ? 1 : 0));
  if (mode == Round::down && tooHigh)
    return uint16_t(negative ? near + 1 : near == 0 ? 0x8001 : near - 1);
  if (mode == Round::up && tooLow)
    return uint16_t(negative ? (near == 0x8000 ? 1 : near - 1) : near + 1);
  return near;
}

// The 8-bit formats of OCP: e4m3 has no infinity and NaN 0x7f, e5m2 is IEEE-like. Conversion saturates (.satfinite).
inline float fromFp8(uint8_t bits, bool e5m2) {
  int mantissaBits = e5m2 ? 2 : 3, bias = e5m2 ? 15 : 7;
  int exponent = (bits & 0x7f) >> mantissaBits, mantissa = bits & ((1 << mantissaBits) - 1);
  float value;
  if (e5m2 && exponent == 31)
    value = mantissa ? NAN : INFINITY;
  else if (!e5m2 && (bits & 0x7f) == 0x7f)
    value = NAN;
  else if (exponent == 0)
    value = std::ldexp(float(mantissa), 1 - bias - mantissaBits);
  else
    value = std::ldexp(float(mantissa | 1 << mantissaBits), exponent - bias - mantissaBits);
  return bits & 0x80 ? -value : value;
}

inline uint8_t toFp8(float value, bool e5m2) {
  uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (value != value)
    return 0x7f;
  int mantissaBits = e5m2 ? 2 : 3, bias = e5m2 ? 15 : 7;
  float top = e5m2 ? 57344.0f : 448.0f, magnitude = std::fabs(value);
  if (magnitude >= top)
    return uint8_t(sign | (e5m2 ? 0x7b : 0x7e));
  int exponent = magnitude > 0 ? std::max(std::ilogb(magnitude), 1 - bias) : 1 - bias;
  float scaled = std::nearbyint(std::ldexp(magnitude, mantissaBits - exponent));
  auto code = uint32_t(scaled) + (uint32_t(exponent + bias - 1) << mantissaBits);
  return uint8_t(sign | code);
}

} // namespace tessera::vgpu
