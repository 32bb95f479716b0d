// Bits: counting, fields, logic, shifts, permutes (ISA 9.7.1.14 to 9.7.1.22, 9.7.8, 9.7.9.7).
#include "tests/vgpu/forms/forms.h"
#include <algorithm>

namespace forms {
namespace {
template <class T> int mostSignificant(T a) { // by the definition's loop, for signed values against the sign
  using U = std::make_unsigned_t<T>;
  U v = a < 0 ? U(~U(a)) : U(a);
  for (int i = 8 * sizeof(T) - 1; i >= 0; --i)
    if (v >> i & 1)
      return i;
  return -1;
}

template <class T> void counting(Table &t, const std::string &b, const std::string &u, const std::string &s) {
  using S = std::make_signed_t<T>;
  static constexpr int top = 8 * sizeof(T) - 1;
  row<u32(T)>(t, "popc." + b + " $d, $a;", [](T a) {
    u32 n = 0;
    for (int i = 0; i <= top; ++i)
      n += u32(a >> i & 1);
    return n;
  });
  row<u32(T)>(t, "clz." + b + " $d, $a;", [](T a) { return u32(top - mostSignificant(a)); });
  row<u32(T)>(t, "bfind." + u + " $d, $a;", [](T a) { return u32(mostSignificant(a)); });
  row<u32(S)>(t, "bfind." + s + " $d, $a;", [](S a) { return u32(mostSignificant(a)); });
  row<u32(T)>(t, "bfind.shiftamt." + u + " $d, $a;", [](T a) {
    int n = mostSignificant(a);
    return n < 0 ? ~0u : u32(top - n);
  });
  row<u32(S)>(t, "bfind.shiftamt." + s + " $d, $a;", [](S a) {
    int n = mostSignificant(a);
    return n < 0 ? ~0u : u32(top - n);
  });
  row<T(T)>(t, "brev." + b + " $d, $a;", [](T a) {
    T r = 0;
    for (int i = 0; i <= top; ++i)
      r |= T(a >> i & 1) << (top - i);
    return r;
  });
  // 9.7.1.19: bit i of the result is bit position + i, or the sign bit of the field (clamped to the top).
  auto extract = [](auto a, small p, small n) {
    using U = std::make_unsigned_t<decltype(a)>;
    int position = int(p.value & 255), length = int(n.value & 255);
    bool sign = std::is_unsigned_v<decltype(a)> || length == 0
                    ? false
                    : (U(a) >> std::min(position + length - 1, top) & 1) != 0;
    U r = 0;
    for (int i = 0; i <= top; ++i) {
      bool bit = i < length && position + i <= top ? (U(a) >> (position + i) & 1) != 0 : sign;
      r |= U(bit) << i;
    }
    return decltype(a)(r);
  };
  row<T(T, small, small)>(t, "bfe." + u + " $d, $a, $b, $c;", extract);
  row<S(S, small, small)>(t, "bfe." + s + " $d, $a, $b, $c;", extract);
  row<T(T, T, small, small)>(t, "bfi." + b + " $d, $a, $b, $c, $e;", [](T a, T f, small p, small n) {
    int position = int(p.value & 255), length = int(n.value & 255);
    for (int i = 0; i < length && position + i <= top; ++i)
      f = T((f & ~(T(1) << (position + i))) | (T(a >> i & 1) << (position + i)));
    return f;
  });
}

template <class T> void logic(Table &t, const std::string &b) {
  row<T(T, T)>(t, "and." + b + " $d, $a, $b;", [](T a, T c) { return T(a & c); });
  row<T(T, T)>(t, "or." + b + " $d, $a, $b;", [](T a, T c) { return T(a | c); });
  row<T(T, T)>(t, "xor." + b + " $d, $a, $b;", [](T a, T c) { return T(a ^ c); });
  row<T(T)>(t, "not." + b + " $d, $a;", [](T a) { return T(~a); });
  row<T(T)>(t, "cnot." + b + " $d, $a;", [](T a) { return T(a == 0); });
  constexpr u32 bits = 8 * sizeof(T);
  row<T(T, small)>(t, "shl." + b + " $d, $a, $b;",
                   [](T a, small n) { return n.value >= bits ? T(0) : T(a << n.value); });
  row<T(T, small)>(t, "shr." + b + " $d, $a, $b;",
                   [](T a, small n) { return n.value >= bits ? T(0) : T(a >> n.value); });
  std::string digits = b.substr(1);
  using S = std::make_signed_t<T>;
  row<T(T, small)>(t, "shr.u" + digits + " $d, $a, $b;",
                   [](T a, small n) { return n.value >= bits ? T(0) : T(a >> n.value); });
  row<S(S, small)>(t, "shr.s" + digits + " $d, $a, $b;",
                   [](S a, small n) { return S(a >> std::min(n.value, bits - 1)); });
}

u32 permuted(u32 a, u32 b, u32 selectors) {
  u8 bytes[8];
  std::memcpy(bytes, &a, 4);
  std::memcpy(bytes + 4, &b, 4);
  u32 r = 0;
  for (int k = 0; k < 4; ++k) {
    u32 s = selectors >> (4 * k) & 15;
    u8 v = bytes[s & 7];
    r |= u32(s & 8 ? (v & 0x80 ? 0xff : 0) : v) << (8 * k);
  }
  return r;
}
} // namespace

void logicRows(Table &t) {
  counting<u32>(t, "b32", "u32", "s32");
  counting<u64>(t, "b64", "u64", "s64");
  logic<u16>(t, "b16");
  logic<u32>(t, "b32");
  logic<u64>(t, "b64");
  row<bool(bool, bool)>(t, "and.pred $d, $a, $b;", [](bool a, bool b) { return a && b; });
  row<bool(bool, bool)>(t, "or.pred $d, $a, !$b;", [](bool a, bool b) { return a || !b; });
  row<bool(bool, bool)>(t, "xor.pred $d, $a, $b;", [](bool a, bool b) { return a != b; });
  row<bool(bool)>(t, "not.pred $d, $a;", [](bool a) { return !a; });

  using Three = u32(u32, u32, u32);
  row<Three>(t, "lop3.b32 $d, $a, $b, $c, 0xe8;", [](u32 a, u32 b, u32 c) { return (a & b) | (a & c) | (b & c); });
  row<Three>(t, "lop3.b32 $d, $a, $b, $c, 0xca;", [](u32 a, u32 b, u32 c) { return (a & b) | (~a & c); });
  row<Three>(t, "lop3.b32 $d, $a, $b, $c, 0x96;", [](u32 a, u32 b, u32 c) { return a ^ b ^ c; });
  row<Three>(t, "lop3.b32 $d, $a, $b, $c, 0x1a;", [](u32 a, u32 b, u32 c) { return ((a & b) | c) ^ a; });
  row<bool(u32, u32, u32, bool)>(t, "lop3.or.b32 _|$d, $a, $b, $c, 0x80, $e;",
                                 [](u32 a, u32 b, u32 c, bool q) { return (a & b & c) != 0 || q; });
  row<bool(u32, u32, u32, bool)>(t, "lop3.and.b32 _|$d, $a, $b, $c, 0x80, !$e;",
                                 [](u32 a, u32 b, u32 c, bool q) { return (a & b & c) != 0 && !q; });

  using Funnel = u32(u32, u32, small);
  auto pair = [](u32 a, u32 b) { return u64(b) << 32 | a; };
  row<Funnel>(t, "shf.l.clamp.b32 $d, $a, $b, $c;",
              [pair](u32 a, u32 b, small n) { return u32(pair(a, b) << std::min(n.value, 32u) >> 32); });
  row<Funnel>(t, "shf.r.clamp.b32 $d, $a, $b, $c;",
              [pair](u32 a, u32 b, small n) { return u32(pair(a, b) >> std::min(n.value, 32u)); });
  row<Funnel>(t, "shf.l.wrap.b32 $d, $a, $b, $c;",
              [pair](u32 a, u32 b, small n) { return u32(pair(a, b) << (n.value & 31) >> 32); });
  row<Funnel>(t, "shf.r.wrap.b32 $d, $a, $b, $c;",
              [pair](u32 a, u32 b, small n) { return u32(pair(a, b) >> (n.value & 31)); });

  row<Three>(t, "prmt.b32 $d, $a, $b, $c;", permuted);
  row<u32(u32, u32)>(t, "prmt.b32 $d, $a, $b, 0x5410;", [](u32 a, u32 b) { return (a & 0xffff) | b << 16; });
  row<u32(u32, u32)>(t, "prmt.b32 $d, $a, $b, 0x7632;", [](u32 a, u32 b) { return a >> 16 | (b & 0xffff0000); });
  row<u32(u32)>(t, "prmt.b32 $d, $a, 0, 0x8888;", [](u32 a) { return a & 0x80 ? ~0u : 0u; });
  // The table of modes in 9.7.9.7, selectors of bytes 3 to 0 for c[1:0] = 0 .. 3.
  const std::pair<const char *, std::vector<u32>> modes[] = {
      {"f4e", {0x3210, 0x4321, 0x5432, 0x6543}}, {"b4e", {0x5670, 0x6701, 0x7012, 0x0123}},
      {"rc8", {0x0000, 0x1111, 0x2222, 0x3333}}, {"ecl", {0x3210, 0x3211, 0x3222, 0x3333}},
      {"ecr", {0x0000, 0x1110, 0x2210, 0x3210}}, {"rc16", {0x1010, 0x3232, 0x1010, 0x3232}}};
  for (const auto &[mode, selectors] : modes)
    row<Three>(t, std::string("prmt.b32.") + mode + " $d, $a, $b, $c;",
               [selectors](u32 a, u32 b, u32 c) { return permuted(a, b, selectors[c & 3]); });

  row<u32(u32, small, small)>(t, "{ .reg .s32 k; sub.s32 k, $c, 20; fns.b32 $d, $a, $b, k; }",
                              [](u32 mask, small base, small n) { // 9.7.1.17's loop
                                s32 offset = s32(n.value) - 20;
                                if (base.value > 31)
                                  return ~0u;
                                if (offset == 0)
                                  return mask >> base.value & 1 ? base.value : ~0u;
                                s32 step = offset > 0 ? 1 : -1, left = std::abs(offset);
                                for (s32 i = s32(base.value); i >= 0 && i < 32; i += step)
                                  if ((mask >> i & 1) && --left == 0)
                                    return u32(i);
                                return ~0u;
                              });
  auto ones = [](u32 from, u32 count) { // mask of `count` ones from bit `from`
    u32 r = 0;
    for (u32 i = from; i < 32 && i < from + count; ++i)
      r |= 1u << i;
    return r;
  };
  row<u32(small, small)>(t, "bmsk.clamp.b32 $d, $a, $b;",
                         [ones](small a, small b) { return ones(std::min(a.value, 32u), std::min(b.value, 32u)); });
  row<u32(small, small)>(t, "bmsk.wrap.b32 $d, $a, $b;",
                         [ones](small a, small b) { return ones(a.value & 31, b.value & 31); });
  auto field = [](u32 a, u32 n, bool sign) {
    u32 low = n >= 32 ? a : a & ((1u << n) - 1);
    return sign && n && n < 32 && (a >> (n - 1) & 1) ? low | ~((1u << n) - 1) : low;
  };
  row<u32(u32, small)>(t, "szext.clamp.u32 $d, $a, $b;",
                       [field](u32 a, small n) { return field(a, std::min(n.value, 32u), false); });
  row<u32(u32, small)>(t, "szext.clamp.s32 $d, $a, $b;",
                       [field](u32 a, small n) { return field(a, std::min(n.value, 32u), true); });
  row<u32(u32, small)>(t, "szext.wrap.u32 $d, $a, $b;",
                       [field](u32 a, small n) { return field(a, n.value & 31, false); });
  row<u32(u32, small)>(t, "szext.wrap.s32 $d, $a, $b;",
                       [field](u32 a, small n) { return field(a, n.value & 31, true); });
}

} // namespace forms
