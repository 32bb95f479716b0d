// Integer arithmetic (ISA 9.7.1, 9.7.2).
#include "tests/vgpu/forms/forms.h"
#include <algorithm>

namespace forms {
namespace {
template <class T> const char *name() {
  if constexpr (std::is_signed_v<T>)
    return sizeof(T) == 2 ? "s16" : sizeof(T) == 4 ? "s32" : "s64";
  else
    return sizeof(T) == 2 ? "u16" : sizeof(T) == 4 ? "u32" : "u64";
}

template <class T> void common(Table &t) {
  using U = std::make_unsigned_t<T>;
  using Big = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
  constexpr int bits = 8 * sizeof(T);
  std::string n = name<T>();
  row<T(T, T)>(t, "add." + n + " $d, $a, $b;", [](T a, T b) { return T(U(a) + U(b)); });
  row<T(T, T)>(t, "sub." + n + " $d, $a, $b;", [](T a, T b) { return T(U(a) - U(b)); });
  row<T(T, T)>(t, "mul.lo." + n + " $d, $a, $b;", [](T a, T b) { return T(Big(a) * Big(b)); });
  row<T(T, T)>(t, "mul.hi." + n + " $d, $a, $b;", [](T a, T b) { return T((Big(a) * Big(b)) >> bits); });
  row<T(T, T, T)>(t, "mad.lo." + n + " $d, $a, $b, $c;", [](T a, T b, T c) { return T(Big(a) * Big(b) + Big(c)); });
  row<T(T, T, T)>(t, "mad.hi." + n + " $d, $a, $b, $c;",
                  [](T a, T b, T c) { return T(U((Big(a) * Big(b)) >> bits) + U(c)); });
  row<T(T, T, T)>(t, "sad." + n + " $d, $a, $b, $c;",
                  [](T a, T b, T c) { return T(U(c) + U(a < b ? Big(b) - Big(a) : Big(a) - Big(b))); });
  row<T(T, T)>(t, "div." + n + " $d, $a, $b;", [](T a, T b) { return b == 0 ? T(-1) : T(Big(a) / Big(b)); });
  row<T(T, T)>(t, "rem." + n + " $d, $a, $b;", [](T a, T b) { return b == 0 ? a : T(Big(a) % Big(b)); });
  row<T(T, T)>(t, "min." + n + " $d, $a, $b;", [](T a, T b) { return std::min(a, b); });
  row<T(T, T)>(t, "max." + n + " $d, $a, $b;", [](T a, T b) { return std::max(a, b); });
  if constexpr (std::is_signed_v<T>) {
    row<T(T)>(t, "abs." + n + " $d, $a;", [](T a) { return T(a < 0 ? -Big(a) : Big(a)); });
    row<T(T)>(t, "neg." + n + " $d, $a;", [](T a) { return T(-Big(a)); });
  }
}

template <class T, class W> void wide(Table &t) {
  std::string n = name<T>();
  row<W(T, T)>(t, "mul.wide." + n + " $d, $a, $b;", [](T a, T b) { return W(W(a) * W(b)); });
  row<W(T, T, W)>(t, "mad.wide." + n + " $d, $a, $b, $c;", [](T a, T b, W c) {
    using U = std::make_unsigned_t<W>;
    return W(U(W(a) * W(b)) + U(c));
  });
}

template <class F> u32 halves(u32 a, u32 b, F f) {
  return u32(u16(f(u16(a), u16(b)))) | u32(u16(f(u16(a >> 16), u16(b >> 16)))) << 16;
}

void packed(Table &t) {
  row<u32(u32, u32)>(
      t, "add.u16x2 $d, $a, $b;", [](u32 a, u32 b) { return halves(a, b, [](u16 x, u16 y) { return x + y; }); }, 90);
  row<u32(u32, u32)>(
      t, "add.s16x2 $d, $a, $b;", [](u32 a, u32 b) { return halves(a, b, [](s16 x, s16 y) { return x + y; }); }, 90);
  row<u32(u32, u32)>(
      t, "min.u16x2 $d, $a, $b;",
      [](u32 a, u32 b) { return halves(a, b, [](u16 x, u16 y) { return std::min(x, y); }); }, 90);
  row<u32(u32, u32)>(
      t, "min.s16x2 $d, $a, $b;",
      [](u32 a, u32 b) { return halves(a, b, [](s16 x, s16 y) { return std::min(x, y); }); }, 90);
  row<u32(u32, u32)>(
      t, "max.u16x2 $d, $a, $b;",
      [](u32 a, u32 b) { return halves(a, b, [](u16 x, u16 y) { return std::max(x, y); }); }, 90);
  row<u32(u32, u32)>(
      t, "max.s16x2 $d, $a, $b;",
      [](u32 a, u32 b) { return halves(a, b, [](s16 x, s16 y) { return std::max(x, y); }); }, 90);
  row<u32(u32, u32)>(
      t, "max.relu.s16x2 $d, $a, $b;",
      [](u32 a, u32 b) { return halves(a, b, [](s16 x, s16 y) { return std::max({x, y, s16(0)}); }); }, 90);
  row<u32(u32, u32)>(
      t, "min.relu.s16x2 $d, $a, $b;",
      [](u32 a, u32 b) { return halves(a, b, [](s16 x, s16 y) { return std::max(std::min(x, y), s16(0)); }); }, 90);
  row<s32(s32, s32)>(t, "max.relu.s32 $d, $a, $b;", [](s32 a, s32 b) { return std::max({a, b, 0}); }, 90);
  row<s32(s32, s32)>(t, "min.relu.s32 $d, $a, $b;", [](s32 a, s32 b) { return std::max(std::min(a, b), 0); }, 90);
}

s64 low24(s32 a) { return s64(s32(u32(a) << 8) >> 8); }
u64 low24(u32 a) { return a & 0xffffff; }
s32 clamp32(s64 v) { return s32(std::clamp<s64>(v, INT32_MIN, INT32_MAX)); }

void saturatingAnd24(Table &t) {
  row<s32(s32, s32)>(t, "add.sat.s32 $d, $a, $b;", [](s32 a, s32 b) { return clamp32(s64(a) + b); });
  row<s32(s32, s32)>(t, "sub.sat.s32 $d, $a, $b;", [](s32 a, s32 b) { return clamp32(s64(a) - b); });
  row<s32(s32, s32, s32)>(t, "mad.hi.sat.s32 $d, $a, $b, $c;",
                          [](s32 a, s32 b, s32 c) { return clamp32((s64(a) * b >> 32) + c); });
  row<s32(s32, s32)>(t, "mul24.lo.s32 $d, $a, $b;", [](s32 a, s32 b) { return s32(low24(a) * low24(b)); });
  row<u32(u32, u32)>(t, "mul24.lo.u32 $d, $a, $b;", [](u32 a, u32 b) { return u32(low24(a) * low24(b)); });
  row<s32(s32, s32)>(t, "mul24.hi.s32 $d, $a, $b;", [](s32 a, s32 b) { return s32(low24(a) * low24(b) >> 16); });
  row<u32(u32, u32)>(t, "mul24.hi.u32 $d, $a, $b;", [](u32 a, u32 b) { return u32(low24(a) * low24(b) >> 16); });
  row<s32(s32, s32, s32)>(t, "mad24.lo.s32 $d, $a, $b, $c;",
                          [](s32 a, s32 b, s32 c) { return s32(low24(a) * low24(b) + c); });
  row<u32(u32, u32, u32)>(t, "mad24.lo.u32 $d, $a, $b, $c;",
                          [](u32 a, u32 b, u32 c) { return u32(low24(a) * low24(b) + c); });
  row<s32(s32, s32, s32)>(t, "mad24.hi.s32 $d, $a, $b, $c;",
                          [](s32 a, s32 b, s32 c) { return s32((low24(a) * low24(b) >> 16) + c); });
  row<u32(u32, u32, u32)>(t, "mad24.hi.u32 $d, $a, $b, $c;",
                          [](u32 a, u32 b, u32 c) { return u32((low24(a) * low24(b) >> 16) + c); });
  row<s32(s32, s32, s32)>(t, "mad24.hi.sat.s32 $d, $a, $b, $c;",
                          [](s32 a, s32 b, s32 c) { return clamp32((low24(a) * low24(b) >> 16) + c); });
}

// Two words as one number: what a chain of carries computes.
template <class F> u32 upper(u32 a, u32 b, F f) { return u32(f(u64(a) << 32 | b, u64(b) << 32 | a) >> 32); }

void carries(Table &t) {
  row<u32(u32, u32)>(t, "add.cc.u32 $d, $b, $a; addc.u32 $d, $a, $b;",
                     [](u32 a, u32 b) { return upper(a, b, [](u64 x, u64 y) { return x + y; }); });
  row<u32(u32, u32)>(t, "sub.cc.u32 $d, $b, $a; subc.u32 $d, $a, $b;",
                     [](u32 a, u32 b) { return upper(a, b, [](u64 x, u64 y) { return x - y; }); });
  row<u64(u64, u64)>(t, "add.cc.u64 $d, $a, $b; addc.u64 $d, $a, 0;",
                     [](u64 a, u64 b) { return a + (a + b < a ? 1 : 0); });
  row<u64(u64, u64)>(t, "sub.cc.u64 $d, $a, $b; subc.u64 $d, $a, 0;", [](u64 a, u64 b) { return a - (a < b ? 1 : 0); });
  row<u32(u32, u32, u32)>(t, "add.cc.s32 $d, $a, $b; addc.cc.s32 $d, $a, $b; addc.s32 $d, $c, $c;",
                          [](u32 a, u32 b, u32 c) {
                            u64 first = u64(a) + b, second = u64(a) + b + (first >> 32);
                            return u32(c + c + (second >> 32));
                          });
  row<u32(u32, u32, u32)>(t, "sub.cc.s32 $d, $a, $b; subc.cc.s32 $d, $a, $b; subc.s32 $d, $c, 0;",
                          [](u32 a, u32 b, u32 c) {
                            u32 first = a < b, second = u64(a) < u64(b) + first;
                            return c - second;
                          });
  row<u32(u32, u32, u32)>(t, "mad.lo.cc.u32 $d, $a, $b, $c; madc.hi.u32 $d, $a, $b, $c;", [](u32 a, u32 b, u32 c) {
    u64 p = u64(a) * b;
    return u32((p >> 32) + c + ((u64(u32(p)) + c) >> 32));
  });
  row<u32(u32, u32, u32)>(t, "mad.hi.cc.u32 $d, $a, $b, $c; madc.lo.u32 $d, $a, $b, $c;", [](u32 a, u32 b, u32 c) {
    u64 p = u64(a) * b;
    return u32(p + c + (((p >> 32) + c) >> 32));
  });
  row<s32(s32, s32, s32)>(t, "mad.lo.cc.s32 $d, $a, $b, $c; madc.hi.cc.s32 $d, $a, $b, $c; addc.s32 $d, $d, 0;",
                          [](s32 a, s32 b, s32 c) {
                            s64 p = s64(a) * b;
                            u64 carry = (u64(u32(p)) + u32(c)) >> 32, sum = u64(u32(p >> 32)) + u32(c) + carry;
                            return s32(u32(sum) + u32(sum >> 32));
                          });
  row<u64(u64, u64, u64)>(t, "mad.lo.cc.u64 $d, $a, $b, $c; madc.hi.u64 $d, $a, $b, $c;", [](u64 a, u64 b, u64 c) {
    unsigned __int128 p = (unsigned __int128)a * b;
    return u64((p >> 64) + c + (((p & ~0ull) + c) >> 64));
  });
}

template <bool signedA, bool signedB> s32 dot4(u32 a, u32 b, u32 c) {
  u32 sum = c;
  for (int k = 0; k < 32; k += 8)
    sum += u32((signedA ? s32(s8(a >> k)) : s32(u8(a >> k))) * (signedB ? s32(s8(b >> k)) : s32(u8(b >> k))));
  return s32(sum);
}
template <bool signedA, bool signedB, int from> s32 dot2(u32 a, u32 b, u32 c) {
  u32 sum = c;
  for (int k = 0; k < 2; ++k) {
    u32 byte = b >> (8 * (from + k)), word = a >> (16 * k);
    sum += u32(s64(signedA ? s32(s16(word)) : s32(u16(word))) * (signedB ? s32(s8(byte)) : s32(u8(byte))));
  }
  return s32(sum);
}

void dots(Table &t) {
  using F = s32(u32, u32, u32);
  row<F>(t, "dp4a.u32.u32 $d, $a, $b, $c;", dot4<false, false>);
  row<F>(t, "dp4a.u32.s32 $d, $a, $b, $c;", dot4<false, true>);
  row<F>(t, "dp4a.s32.u32 $d, $a, $b, $c;", dot4<true, false>);
  row<F>(t, "dp4a.s32.s32 $d, $a, $b, $c;", dot4<true, true>);
  row<F>(t, "dp2a.lo.u32.u32 $d, $a, $b, $c;", dot2<false, false, 0>);
  row<F>(t, "dp2a.lo.u32.s32 $d, $a, $b, $c;", dot2<false, true, 0>);
  row<F>(t, "dp2a.lo.s32.u32 $d, $a, $b, $c;", dot2<true, false, 0>);
  row<F>(t, "dp2a.lo.s32.s32 $d, $a, $b, $c;", dot2<true, true, 0>);
  row<F>(t, "dp2a.hi.u32.u32 $d, $a, $b, $c;", dot2<false, false, 2>);
  row<F>(t, "dp2a.hi.u32.s32 $d, $a, $b, $c;", dot2<false, true, 2>);
  row<F>(t, "dp2a.hi.s32.u32 $d, $a, $b, $c;", dot2<true, false, 2>);
  row<F>(t, "dp2a.hi.s32.s32 $d, $a, $b, $c;", dot2<true, true, 2>);
}
} // namespace

void integerRows(Table &t) {
  common<u16>(t);
  common<s16>(t);
  common<u32>(t);
  common<s32>(t);
  common<u64>(t);
  common<s64>(t);
  wide<u16, u32>(t);
  wide<s16, s32>(t);
  wide<u32, u64>(t);
  wide<s32, s64>(t);
  packed(t);
  saturatingAnd24(t);
  carries(t);
  dots(t);
}

} // namespace forms
