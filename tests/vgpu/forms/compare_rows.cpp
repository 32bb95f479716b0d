// Comparison and selection (ISA 9.7.6, 9.7.7).
#include "tests/vgpu/forms/forms.h"
#include <functional>

namespace forms {
namespace {
constexpr const char *ordered[] = {"eq", "ne", "lt", "le", "gt", "ge"};

template <class T> bool holds(int which, T a, T b) {
  switch (which) {
  case 0:
    return a == b;
  case 1:
    return a < b || a > b; // false for NaN
  case 2:
    return a < b;
  case 3:
    return a <= b;
  case 4:
    return a > b;
  default:
    return a >= b;
  }
}

template <class T> void integers(Table &t, const std::string &n, bool bits = false) {
  for (int k = 0; k < (bits ? 2 : 6); ++k)
    row<bool(T, T)>(t, std::string("setp.") + ordered[k] + "." + n + " $d, $a, $b;",
                    [k](T a, T b) { return holds(k, a, b); });
}

template <class T> void floats(Table &t, const std::string &n) {
  for (int k = 0; k < 6; ++k) {
    row<bool(T, T)>(t, std::string("setp.") + ordered[k] + "." + n + " $d, $a, $b;",
                    [k](T a, T b) { return holds(k, a, b); });
    row<bool(T, T)>(t, std::string("setp.") + ordered[k] + "u." + n + " $d, $a, $b;",
                    [k](T a, T b) { return std::isnan(a) || std::isnan(b) || holds(k, a, b); });
  }
  row<bool(T, T)>(t, "setp.num." + n + " $d, $a, $b;", [](T a, T b) { return !std::isnan(a) && !std::isnan(b); });
  row<bool(T, T)>(t, "setp.nan." + n + " $d, $a, $b;", [](T a, T b) { return std::isnan(a) || std::isnan(b); });
}

template <class H, class P> void halves(Table &t, const std::string &n, int arch) {
  row<bool(H, H)>(t, "setp.lt." + n + " $d, $a, $b;", [](H a, H b) { return number(a) < number(b); }, arch);
  row<bool(H, H)>(t, "setp.neu." + n + " $d, $a, $b;", [](H a, H b) { return !(number(a) == number(b)); }, arch);
  row<bool(P, P)>(
      t, "setp.ge." + n + "x2 $d|_, $a, $b;", [](P a, P b) { return number(low(a)) >= number(low(b)); }, arch);
  row<bool(P, P)>(
      t, "{ .reg .pred u; setp.ge." + n + "x2 u|$d, $a, $b; }",
      [](P a, P b) { return number(high(a)) >= number(high(b)); }, arch);
  row<u32(P, P)>(
      t, "set.le.u32." + n + "x2 $d, $a, $b;",
      [](P a, P b) {
        return (number(low(a)) <= number(low(b)) ? 0xffffu : 0) |
               (number(high(a)) <= number(high(b)) ? 0xffff0000u : 0);
      },
      arch);
}
} // namespace

void compareRows(Table &t) {
  integers<u16>(t, "u16");
  integers<s16>(t, "s16");
  integers<u32>(t, "u32");
  integers<s32>(t, "s32");
  integers<u64>(t, "u64");
  integers<s64>(t, "s64");
  integers<u16>(t, "b16", true);
  integers<u32>(t, "b32", true);
  integers<u64>(t, "b64", true);
  floats<float>(t, "f32");
  floats<double>(t, "f64");
  halves<f16, f16x2>(t, "f16", 75);
  halves<bf16, bf16x2>(t, "bf16", 90);
  row<bool(u32, u32)>(t, "setp.lo.u32 $d, $a, $b;", [](u32 a, u32 b) { return a < b; });
  row<bool(u32, u32)>(t, "setp.ls.u32 $d, $a, $b;", [](u32 a, u32 b) { return a <= b; });
  row<bool(u64, u64)>(t, "setp.hi.u64 $d, $a, $b;", [](u64 a, u64 b) { return a > b; });
  row<bool(u64, u64)>(t, "setp.hs.u64 $d, $a, $b;", [](u64 a, u64 b) { return a >= b; });
  row<bool(float, float)>(t, "setp.lt.ftz.f32 $d, $a, $b;", [](float a, float b) { return flushed(a) < flushed(b); });
  row<bool(s32, s32, bool)>(t, "setp.lt.and.s32 $d, $a, $b, $c;", [](s32 a, s32 b, bool c) { return a < b && c; });
  row<bool(s32, s32, bool)>(t, "setp.lt.or.s32 $d, $a, $b, !$c;", [](s32 a, s32 b, bool c) { return a < b || !c; });
  row<bool(s32, s32, bool)>(t, "{ .reg .pred u; setp.lt.xor.s32 u|$d, $a, $b, $c; }",
                            [](s32 a, s32 b, bool c) { return !(a < b) != c; });
  row<u32(u32, u32)>(t, "set.gt.u32.u32 $d, $a, $b;", [](u32 a, u32 b) { return a > b ? ~0u : 0; });
  row<s32(float, float)>(t, "set.leu.s32.f32 $d, $a, $b;", [](float a, float b) { return !(a > b) ? -1 : 0; });
  row<float(s32, s32)>(t, "set.eq.f32.s32 $d, $a, $b;", [](s32 a, s32 b) { return a == b ? 1.0f : 0.0f; });
  row<float(double, double, bool)>(t, "set.lt.and.f32.f64 $d, $a, $b, $c;",
                                   [](double a, double b, bool c) { return a < b && c ? 1.0f : 0.0f; });
  row<f16(f16, f16)>(t, "set.lt.f16.f16 $d, $a, $b;",
                     [](f16 a, f16 b) { return f16{u16(number(a) < number(b) ? 0x3c00 : 0)}; });
  row<f16x2(f16x2, f16x2)>(t, "set.gt.f16x2.f16x2 $d, $a, $b;", [](f16x2 a, f16x2 b) {
    return f16x2{(number(low(a)) > number(low(b)) ? 0x3c00u : 0) |
                 (number(high(a)) > number(high(b)) ? 0x3c000000u : 0)};
  });
  row<bf16x2(bf16x2, bf16x2)>(
      t, "set.gt.bf16x2.bf16x2 $d, $a, $b;",
      [](bf16x2 a, bf16x2 b) {
        return bf16x2{(number(low(a)) > number(low(b)) ? 0x3f80u : 0) |
                      (number(high(a)) > number(high(b)) ? 0x3f800000u : 0)};
      },
      90);
  row<u16(u16, u16, bool)>(t, "selp.b16 $d, $a, $b, $c;", [](u16 a, u16 b, bool c) { return c ? a : b; });
  row<u32(u32, u32, bool)>(t, "selp.b32 $d, $a, $b, $c;", [](u32 a, u32 b, bool c) { return c ? a : b; });
  row<u64(u64, u64, bool)>(t, "selp.b64 $d, $a, $b, $c;", [](u64 a, u64 b, bool c) { return c ? a : b; });
  row<float(float, float, bool)>(t, "selp.f32 $d, $a, $b, $c;", [](float a, float b, bool c) { return c ? a : b; });
  row<double(double, double, bool)>(t, "selp.f64 $d, $a, $b, $c;",
                                    [](double a, double b, bool c) { return c ? a : b; });
  row<u32(u32, u32, s32)>(t, "slct.b32.s32 $d, $a, $b, $c;", [](u32 a, u32 b, s32 c) { return c >= 0 ? a : b; });
  row<u64(u64, u64, s32)>(t, "slct.u64.s32 $d, $a, $b, $c;", [](u64 a, u64 b, s32 c) { return c >= 0 ? a : b; });
  row<u16(u16, u16, s32)>(t, "slct.b16.s32 $d, $a, $b, $c;", [](u16 a, u16 b, s32 c) { return c >= 0 ? a : b; });
  row<float(float, float, float)>(t, "slct.f32.f32 $d, $a, $b, $c;",
                                  [](float a, float b, float c) { return c >= 0 ? a : b; });
  row<double(double, double, float)>(t, "slct.ftz.f64.f32 $d, $a, $b, $c;",
                                     [](double a, double b, float c) { return flushed(c) >= 0 ? a : b; });
}

} // namespace forms
