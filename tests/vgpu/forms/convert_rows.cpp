// cvt and cvt.pack (ISA 9.7.9.21, 9.7.9.22): from the one formula of rounding.h.
#include "tests/vgpu/forms/rounding.h"
#include <algorithm>

namespace forms {
namespace {
template <class T> constexpr const char *nameOf() {
  if constexpr (std::is_same_v<T, float>)
    return "f32";
  else if constexpr (std::is_same_v<T, double>)
    return "f64";
  else if constexpr (std::is_same_v<T, f16>)
    return "f16";
  else if constexpr (std::is_same_v<T, bf16>)
    return "bf16";
  else if constexpr (std::is_signed_v<T>)
    return sizeof(T) == 2 ? "s16" : sizeof(T) == 4 ? "s32" : "s64";
  else
    return sizeof(T) == 2 ? "u16" : sizeof(T) == 4 ? "u32" : "u64";
}

long double exact(float v) { return v; }
long double exact(double v) { return v; }
long double exact(f16 v) { return number(v); }
long double exact(bf16 v) { return number(v); }
template <class T>
  requires std::is_integral_v<T>
long double exact(T v) {
  return v;
}

// What a float-to-integer conversion of T answers, clamped; NaN by the ISA's two rules.
template <class T> T toInteger(long double v, char how, bool fromDouble) {
  if (v != v)
    return fromDouble || sizeof(T) == 8 ? T(std::make_unsigned_t<T>(1) << (8 * sizeof(T) - 1)) : T(0);
  v = integral(v, how);
  if (v <= (long double)std::numeric_limits<T>::min())
    return std::numeric_limits<T>::min();
  if (v >= (long double)std::numeric_limits<T>::max())
    return std::numeric_limits<T>::max();
  return T(v);
}

template <class T> T toFloat(long double v, char how, bool finite = false) {
  if constexpr (std::is_same_v<T, float>)
    return float(onGrid(v, formatF32, how, finite));
  else if constexpr (std::is_same_v<T, double>)
    return double(onGrid(v, formatF64, how, finite));
  else if constexpr (std::is_same_v<T, f16>)
    return {encodeF16(onGrid(v, formatF16, how, finite))};
  else
    return {encodeBf16(onGrid(v, formatBf16, how, finite))};
}

constexpr const char *integerModes[] = {"rni", "rzi", "rmi", "rpi"};
constexpr const char *floatModes[] = {"rn", "rz", "rm", "rp"};

template <class I, class F> void integerAndFloat(Table &t, int arch) {
  std::string i = nameOf<I>(), f = nameOf<F>();
  for (const char *m : integerModes)
    row<I(F)>(
        t, std::string("cvt.") + m + "." + i + "." + f + " $d, $a;",
        [m](F v) { return toInteger<I>(exact(v), m[1], std::is_same_v<F, double>); }, arch);
  for (const char *m : floatModes)
    row<F(I)>(
        t, std::string("cvt.") + m + "." + f + "." + i + " $d, $a;", [m](I v) { return toFloat<F>(exact(v), m[1]); },
        arch);
}

template <class To, class From> void narrowing(Table &t, int arch) {
  for (const char *m : floatModes)
    row<To(From)>(
        t, std::string("cvt.") + m + "." + nameOf<To>() + "." + nameOf<From>() + " $d, $a;",
        [m](From v) { return toFloat<To>(exact(v), m[1]); }, arch);
}

template <class F> void widening(Table &t, int arch) {
  std::string f = nameOf<F>();
  row<float(F)>(t, "cvt.f32." + f + " $d, $a;", [](F v) { return float(exact(v)); }, f == "bf16" ? 80 : arch);
  row<double(F)>(t, "cvt.f64." + f + " $d, $a;", [](F v) { return double(exact(v)); }, arch);
}

template <class F> void rounded(Table &t) { // to an integral value of the same type
  for (const char *m : integerModes)
    row<F(F)>(t, std::string("cvt.") + m + "." + nameOf<F>() + "." + nameOf<F>() + " $d, $a;", [m](F v) {
      return toFloat<F>(std::isinf(exact(v)) ? exact(v) : std::copysign(integral(exact(v), m[1]), exact(v)), 'n');
    });
}

template <class D, class S> void integers(Table &t) {
  std::string d = nameOf<D>(), s = nameOf<S>();
  if constexpr (sizeof(D) != sizeof(S))
    row<D(S)>(t, "cvt." + d + "." + s + " $d, $a;", [](S v) { return D(v); });
  constexpr bool fits = std::numeric_limits<S>::max() <= std::numeric_limits<D>::max() &&
                        (std::is_unsigned_v<S> || std::is_signed_v<D>) && sizeof(S) <= sizeof(D);
  if constexpr (!fits)
    row<D(S)>(t, "cvt.sat." + d + "." + s + " $d, $a;", [](S v) {
      using Big = __int128;
      return D(std::clamp<Big>(Big(v), Big(std::numeric_limits<D>::min()), Big(std::numeric_limits<D>::max())));
    });
}

void bytes(Table &t) {
  row<u32(u32)>(t, "cvt.u32.u8 $d, $a;", [](u32 v) { return v & 0xff; });
  row<s32(u32)>(t, "cvt.s32.s8 $d, $a;", [](u32 v) { return s32(s8(v)); });
  row<s64(u32)>(t, "cvt.s64.s8 $d, $a;", [](u32 v) { return s64(s8(v)); });
  row<u16(u32)>(t, "cvt.u16.u8 $d, $a;", [](u32 v) { return u16(v & 0xff); });
  row<u32(u32)>(t, "cvt.u8.u32 $d, $a;", [](u32 v) { return v & 0xff; });
  row<s32(s32)>(t, "cvt.s8.s32 $d, $a;", [](s32 v) { return s32(s8(v)); });
  row<u32(s32)>(t, "cvt.sat.u8.s32 $d, $a;", [](s32 v) { return u32(std::clamp(v, 0, 255)); });
  row<s32(s32)>(t, "cvt.sat.s8.s32 $d, $a;", [](s32 v) { return std::clamp(v, -128, 127); });
  row<u32(float)>(t, "cvt.rzi.u8.f32 $d, $a;",
                  [](float v) { return u32(v != v ? 0 : std::clamp(std::trunc(double(v)), 0.0, 255.0)); });
  row<s32(float)>(t, "cvt.rni.s8.f32 $d, $a;",
                  [](float v) { return s32(v != v ? 0 : std::clamp(double(integral(v, 'n')), -128.0, 127.0)); });
  row<s32(f16)>(t, "cvt.rni.sat.s8.f16 $d, $a;", [](f16 v) {
    double x = number(v);
    return s32(x != x ? 0 : std::clamp(double(integral(x, 'n')), -128.0, 127.0));
  });
  row<float(u32)>(t, "cvt.rn.f32.u8 $d, $a;", [](u32 v) { return float(v & 0xff); });
  row<float(u32)>(t, "cvt.rn.f32.s8 $d, $a;", [](u32 v) { return float(s8(v)); });
  row<f16(u32)>(t, "cvt.rn.f16.s8 $d, $a;", [](u32 v) { return f16{encodeF16(s8(v))}; });
  row<u32(s32, s32)>(t, "cvt.pack.sat.u16.s32 $d, $a, $b;",
                     [](s32 a, s32 b) { return u32(std::clamp(a, 0, 65535)) << 16 | u32(std::clamp(b, 0, 65535)); });
  row<u32(s32, s32)>(t, "cvt.pack.sat.s16.s32 $d, $a, $b;", [](s32 a, s32 b) {
    return u32(u16(std::clamp(a, -32768, 32767))) << 16 | u16(std::clamp(b, -32768, 32767));
  });
  for (int bits : {8, 4, 2})
    for (bool sign : {false, true})
      row<u32(s32, s32, u32)>(
          t, std::string("cvt.pack.sat.") + (sign ? "s" : "u") + std::to_string(bits) + ".s32.b32 $d, $a, $b, $c;",
          [=](s32 a, s32 b, u32 c) {
            s32 low = sign ? -(1 << (bits - 1)) : 0, high = sign ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
            u32 mask = (1u << bits) - 1;
            return (u32(std::clamp(a, low, high)) & mask) << bits | (u32(std::clamp(b, low, high)) & mask) |
                   c << (2 * bits);
          });
}

// Pairs and modifiers of the tensor formats.
void packed(Table &t) {
  for (bool finite : {false, true})
    for (bool relu : {false, true})
      for (char how : {'n', 'z'}) {
        std::string m = std::string(".r") + how + (relu ? ".relu" : "") + (finite ? ".satfinite" : "");
        auto put = [=](float v, const Format &f) {
          long double r = onGrid(v, f, how, finite);
          return relu ? rectified(r) : r;
        };
        row<u32(float, float)>(
            t, "cvt" + m + ".f16x2.f32 $d, $a, $b;",
            [put](float a, float b) { return u32(encodeF16(put(a, formatF16))) << 16 | encodeF16(put(b, formatF16)); },
            80);
        row<u32(float, float)>(
            t, "cvt" + m + ".bf16x2.f32 $d, $a, $b;",
            [put](float a, float b) {
              return u32(encodeBf16(put(a, formatBf16))) << 16 | encodeBf16(put(b, formatBf16));
            },
            80);
        if (finite || relu) {
          row<f16(float)>(
              t, "cvt" + m + ".f16.f32 $d, $a;", [put](float a) { return f16{encodeF16(put(a, formatF16))}; },
              relu ? 80 : 75);
          row<bf16(float)>(
              t, "cvt" + m + ".bf16.f32 $d, $a;", [put](float a) { return bf16{encodeBf16(put(a, formatBf16))}; }, 80);
        }
        row<float(float)>(
            t, "{ .reg .b32 x; cvt" + m + ".tf32.f32 x, $a; mov.b32 $d, x; }",
            [put](float a) { return float(put(a, formatTf32)); }, finite ? 100 : 90);
      }
  row<float(float)>(
      t, "{ .reg .b32 x; cvt.rna.tf32.f32 x, $a; mov.b32 $d, x; }",
      [](float a) { return float(onGrid(a, formatTf32, 'a')); }, 80);
  row<float(float)>(
      t, "{ .reg .b32 x; cvt.rna.satfinite.tf32.f32 x, $a; mov.b32 $d, x; }",
      [](float a) { return float(onGrid(a, formatTf32, 'a', true)); }, 80);
  for (bool relu : {false, true}) {
    std::string m = relu ? ".relu" : "";
    auto clip = [relu](long double v) { return relu ? rectified(v) : v; };
    auto four = [clip](double v) { return encodeE4m3(clip(onGrid(v, formatE4m3, 'n', true))); };
    auto five = [clip](double v) { return encodeE5m2(clip(onGrid(v, formatE5m2, 'n', true))); };
    row<u16(float, float)>(
        t, "cvt.rn.satfinite" + m + ".e4m3x2.f32 $d, $a, $b;",
        [four](float a, float b) { return u16(four(a) << 8 | four(b)); }, 89);
    row<u16(float, float)>(
        t, "cvt.rn.satfinite" + m + ".e5m2x2.f32 $d, $a, $b;",
        [five](float a, float b) { return u16(five(a) << 8 | five(b)); }, 89);
    row<u16(f16x2)>(
        t, "cvt.rn.satfinite" + m + ".e4m3x2.f16x2 $d, $a;",
        [four](f16x2 a) { return u16(four(number(high(a))) << 8 | four(number(low(a)))); }, 89);
    row<u16(f16x2)>(
        t, "cvt.rn.satfinite" + m + ".e5m2x2.f16x2 $d, $a;",
        [five](f16x2 a) { return u16(five(number(high(a))) << 8 | five(number(low(a)))); }, 89);
    row<u32(u16)>(
        t, "cvt.rn" + m + ".f16x2.e4m3x2 $d, $a;",
        [clip](u16 a) { return u32(encodeF16(clip(decodeE4m3(a >> 8)))) << 16 | encodeF16(clip(decodeE4m3(a & 255))); },
        89);
    row<u32(u16)>(
        t, "cvt.rn" + m + ".f16x2.e5m2x2 $d, $a;",
        [clip](u16 a) { return u32(encodeF16(clip(decodeE5m2(a >> 8)))) << 16 | encodeF16(clip(decodeE5m2(a & 255))); },
        89);
  }
}
} // namespace

void convertRows(Table &t) {
  integerAndFloat<u16, float>(t, 75);
  integerAndFloat<s16, float>(t, 75);
  integerAndFloat<u32, float>(t, 75);
  integerAndFloat<s32, float>(t, 75);
  integerAndFloat<u64, float>(t, 75);
  integerAndFloat<s64, float>(t, 75);
  integerAndFloat<u32, double>(t, 75);
  integerAndFloat<s32, double>(t, 75);
  integerAndFloat<u64, double>(t, 75);
  integerAndFloat<s64, double>(t, 75);
  integerAndFloat<u16, f16>(t, 75);
  integerAndFloat<s16, f16>(t, 75);
  integerAndFloat<u32, f16>(t, 75);
  integerAndFloat<s32, f16>(t, 75);
  integerAndFloat<u64, f16>(t, 75);
  integerAndFloat<s64, f16>(t, 75);
  integerAndFloat<u32, bf16>(t, 90);
  integerAndFloat<s32, bf16>(t, 90);
  integerAndFloat<u64, bf16>(t, 90);
  integerAndFloat<s16, bf16>(t, 90);
  narrowing<float, double>(t, 75);
  narrowing<f16, double>(t, 75);
  narrowing<f16, float>(t, 75);
  narrowing<bf16, double>(t, 90);
  for (const char *m : {"rn", "rz"})
    row<bf16(float)>(
        t, std::string("cvt.") + m + ".bf16.f32 $d, $a;", [m](float v) { return toFloat<bf16>(v, m[1]); }, 80);
  widening<f16>(t, 75);
  widening<bf16>(t, 90);
  row<double(float)>(t, "cvt.f64.f32 $d, $a;", [](float v) { return double(v); });
  row<bf16(f16)>(t, "cvt.rn.bf16.f16 $d, $a;", [](f16 v) { return toFloat<bf16>(exact(v), 'n'); }, 90);
  row<f16(bf16)>(t, "cvt.rn.f16.bf16 $d, $a;", [](bf16 v) { return toFloat<f16>(exact(v), 'n'); }, 90);
  rounded<float>(t);
  rounded<double>(t);
  rounded<f16>(t);
  integers<u16, u32>(t);
  integers<u16, s32>(t);
  integers<s16, s32>(t);
  integers<s16, u64>(t);
  integers<u32, u16>(t);
  integers<u32, s16>(t);
  integers<s32, s16>(t);
  integers<s32, u32>(t);
  integers<u32, s32>(t);
  integers<u32, u64>(t);
  integers<s32, s64>(t);
  integers<s64, s32>(t);
  integers<u64, u32>(t);
  integers<u64, s32>(t);
  integers<u64, s64>(t);
  integers<s64, u64>(t);
  row<float(float)>(t, "cvt.sat.f32.f32 $d, $a;", [](float v) { return saturated(v); });
  row<float(float)>(t, "cvt.ftz.sat.f32.f32 $d, $a;", [](float v) { return saturated(flushed(v)); });
  row<float(double)>(t, "cvt.rn.ftz.f32.f64 $d, $a;", [](double v) { return flushed(float(v)); });
  row<double(float)>(t, "cvt.ftz.f64.f32 $d, $a;", [](float v) { return double(flushed(v)); });
  row<s32(float)>(t, "cvt.rpi.ftz.s32.f32 $d, $a;", [](float v) { return toInteger<s32>(flushed(v), 'p', false); });
  row<float(f16)>(t, "cvt.ftz.f32.f16 $d, $a;", [](f16 v) { return float(number(v)); });
  row<f16(float)>(t, "cvt.rn.sat.f16.f32 $d, $a;",
                  [](float v) { return f16{encodeF16(onGrid(saturated(v), formatF16, 'n'))}; });
  row<double(double)>(t, "cvt.sat.f64.f64 $d, $a;", [](double v) { return v > 0 ? std::min(v, 1.0) : 0.0; });
  bytes(t);
  packed(t);
}

} // namespace forms
