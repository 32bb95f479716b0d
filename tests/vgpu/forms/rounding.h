// The one formula behind all conversions: a number is put on the grid of its destination (ISA 9.7.9.21, 5.2.3).
#pragma once
#include "tests/vgpu/forms/forms.h"

namespace forms {

// A binary format: significant bits, the exponent of its smallest step, its largest number.
struct Format {
  int precision, step;
  long double largest;
};
inline constexpr Format formatF16{11, -24, 65504.0L}, formatBf16{8, -133, 0x1.fep127L},
    formatTf32{11, -136, 0x1.ffcp127L}, formatF32{24, -149, 0x1.fffffep127L},
    formatF64{53, -1074, 0x1.fffffffffffffp1023L}, formatE4m3{4, -9, 448.0L}, formatE5m2{3, -16, 57344.0L};

// To an integral value; `how` is the modifier: n even, a away, z zero, m minus, p plus.
inline long double integral(long double v, char how) {
  if (std::isinf(v))
    return v;
  switch (how) {
  case 'z':
    return std::trunc(v);
  case 'm':
    return std::floor(v);
  case 'p':
    return std::ceil(v);
  case 'a':
    return std::round(v);
  default:
    return v - std::remainder(v, 1.0L); // remainder() takes the even one of two nearest
  }
}

// Onto the format's grid; infinite where the format overflows, unless `finite` (.satfinite) or the direction forbids.
inline long double onGrid(long double v, const Format &f, char how, bool finite = false) {
  if (v != v || v == 0)
    return v;
  if (std::isinf(v))
    return finite ? std::copysign(f.largest, v) : v;
  int exponent = std::ilogb(v);
  long double step = std::ldexp(1.0L, std::max(exponent - (f.precision - 1), f.step));
  long double r = integral(v / step, how) * step;
  if (std::fabs(r) <= f.largest)
    return std::copysign(r, v);
  bool stays = finite || how == 'z' || (how == 'm' && v > 0) || (how == 'p' && v < 0);
  return std::copysign(stays ? f.largest : (long double)INFINITY, v);
}

// The bits of a number that lies on the grid.
inline u32 encode8(long double v, const Format &f, int mantissa, int bias) {
  if (v != v)
    return 0x7f;
  u32 sign = std::signbit(v) ? 0x80 : 0;
  v = std::fabs(v);
  if (v == 0)
    return sign;
  int exponent = std::max(std::ilogb(v), 1 - bias);
  auto significand = u32(v / std::ldexp(1.0L, exponent - mantissa)); // with the hidden bit unless subnormal
  bool normal = significand >> mantissa;
  (void)f;
  return sign | (normal ? u32(exponent + bias) << mantissa | (significand & ((1u << mantissa) - 1)) : significand);
}
inline u32 encodeE4m3(long double v) { return encode8(v, formatE4m3, 3, 7); }
inline u32 encodeE5m2(long double v) { return encode8(v, formatE5m2, 2, 15); }
inline u16 encodeF16(long double v) { return v != v ? u16(0x7fff) : std::bit_cast<u16>(_Float16(double(v))); }
inline u16 encodeBf16(long double v) { return v != v ? u16(0x7fff) : u16(std::bit_cast<u32>(float(v)) >> 16); }

// The number that 8 bits mean.
inline double decode8(u32 bits, int mantissa, int bias, bool infinities) {
  u32 field = (bits & 0x7f) >> mantissa, low = bits & ((1u << mantissa) - 1);
  u32 top = (0x7fu >> mantissa);
  double sign = bits & 0x80 ? -1 : 1;
  if (infinities && field == top)
    return low ? NAN : sign * INFINITY;
  if (!infinities && (bits & 0x7f) == 0x7f)
    return NAN;
  return sign * (field ? std::ldexp(1 + double(low) / (1 << mantissa), int(field) - bias)
                       : std::ldexp(double(low) / (1 << mantissa), 1 - bias));
}
inline double decodeE4m3(u32 bits) { return decode8(bits, 3, 7, false); }
inline double decodeE5m2(u32 bits) { return decode8(bits, 2, 15, true); }

inline long double rectified(long double v) { return v != v || v > 0 ? v : 0.0L; }

} // namespace forms
