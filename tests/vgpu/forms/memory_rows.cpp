// Loads, stores, atomics, address arithmetic (ISA 9.7.9, 9.7.13.5): each thread on 32 bytes of its own, at $g in global
// memory, at $s in shared memory and at $l in local memory.
#include "tests/vgpu/forms/forms.h"
#include <algorithm>

namespace forms {
namespace {
void transfers(Table &t) {
  using One = u32(u32);
  auto same = [](u32 a) { return a; };
  for (const char *space : {"global", "shared", "local"}) {
    std::string s = space, at = s == "global" ? "[$g" : s == "shared" ? "[$s" : "[$l";
    row<One>(t, "st." + s + ".b8 " + at + "], $a; ld." + s + ".b8 $d, " + at + "];", [](u32 a) { return a & 255; });
    row<s32(u32)>(t, "st." + s + ".u8 " + at + "+3], $a; ld." + s + ".s8 $d, " + at + "+3];",
                  [](u32 a) { return s8(a); });
    row<u16(u16)>(t, "st." + s + ".b16 " + at + "+2], $a; ld." + s + ".u16 $d, " + at + "+2];",
                  [](u16 a) { return a; });
    row<s32(u16)>(t, "st." + s + ".u16 " + at + "], $a; ld." + s + ".s16 $d, " + at + "];",
                  [](u16 a) { return s16(a); });
    row<One>(t, "st." + s + ".b32 " + at + "+4], $a; ld." + s + ".b32 $d, " + at + "+4];", same);
    row<u64(u64)>(t, "st." + s + ".u64 " + at + "+8], $a; ld." + s + ".s64 $d, " + at + "+8];",
                  [](u64 a) { return a; });
    row<float(float)>(t, "st." + s + ".f32 " + at + "], $a; ld." + s + ".f32 $d, " + at + "];",
                      [](float a) { return a; });
    row<double(double)>(t, "st." + s + ".f64 " + at + "], $a; ld." + s + ".f64 $d, " + at + "];",
                        [](double a) { return a; });
    row<u32(u32, u32)>(t, "st." + s + ".v2.b32 " + at + "], {$a, $b}; ld." + s + ".v2.u32 {_, $d}, " + at + "];",
                       [](u32, u32 b) { return b; });
    row<u32(u32, u32, u32, u32)>(
        t, "st." + s + ".v4.u32 " + at + "+16], {$a, $b, $c, $e}; ld." + s + ".b32 $d, " + at + "+24];",
        [](u32, u32, u32 c, u32) { return c; });
    row<u64(u64, u64)>(t, "st." + s + ".v2.b64 " + at + "], {$a, $b}; ld." + s + ".v2.b64 {$d, _}, " + at + "];",
                       [](u64 a, u64) { return a; });
    row<u16(u16, u16, u16, u16)>(
        t, "st." + s + ".v4.b16 " + at + "], {$a, $b, $c, $e}; ld." + s + ".v4.u16 {_, _, _, $d}, " + at + "];",
        [](u16, u16, u16, u16 d) { return d; });
    row<u32(u32, u32)>(t, "st." + s + ".v2.b8 " + at + "], {$a, $b}; ld." + s + ".v2.u8 {_, $d}, " + at + "];",
                       [](u32, u32 b) { return b & 255; });
  }
  row<u64(u32)>(t, "st.global.u32 [$g], $a; ld.global.u32 $d, [$g];", [](u32 a) { return u64(a); }); // wider register
  row<s64(u32)>(t, "st.global.u32 [$g], $a; ld.global.s32 $d, [$g];", [](u32 a) { return s64(s32(a)); });
  for (const char *form :
       {"ld.u32 $d, [$g];", "ld.global.nc.u32 $d, [$g];", "ld.global.ca.u32 $d, [$g];", "ld.global.cg.u32 $d, [$g];",
        "ld.global.cs.u32 $d, [$g];", "ld.global.cv.u32 $d, [$g];", "ld.volatile.global.u32 $d, [$g];",
        "ld.relaxed.gpu.global.u32 $d, [$g];", "ld.acquire.sys.global.u32 $d, [$g];",
        "ld.acquire.cta.global.u32 $d, [$g];", "ld.weak.global.u32 $d, [$g];",
        "ld.mmio.relaxed.sys.global.u32 $d, [$g];", "ld.global.L1::no_allocate.L2::128B.u32 $d, [$g];",
        "ld.global.nc.L1::evict_last.u32 $d, [$g];", "ldu.global.u32 $d, [$g];",
        "prefetch.global.L2 [$g]; ld.global.u32 $d, [$g];", "prefetch.L1 [$g]; ld.global.u32 $d, [$g];",
        "prefetchu.L1 [$g]; ld.global.u32 $d, [$g];"})
    row<One>(t, std::string("st.global.u32 [$g], $a; ") + form, same);
  for (const char *form :
       {"st.u32 [$g], $a;", "st.global.wb.u32 [$g], $a;", "st.global.cg.u32 [$g], $a;", "st.global.cs.u32 [$g], $a;",
        "st.global.wt.u32 [$g], $a;", "st.volatile.global.u32 [$g], $a;", "st.relaxed.gpu.global.u32 [$g], $a;",
        "st.release.gpu.global.u32 [$g], $a;", "st.weak.global.u32 [$g], $a;",
        "st.mmio.relaxed.sys.global.u32 [$g], $a;", "st.global.L1::evict_first.u32 [$g], $a;"})
    row<One>(t, std::string(form) + " ld.global.u32 $d, [$g];", same);
  row<One>(t,
           "{ .reg .b64 p; createpolicy.fractional.L2::evict_last.b64 p, 0.5; "
           "st.global.L2::cache_hint.u32 [$g], $a, p; ld.global.L2::cache_hint.u32 $d, [$g], p; }",
           same, 80);
  row<One>(t,
           "{ .reg .b64 p; createpolicy.range.global.L2::evict_last.L2::evict_first.b64 p, [$g], 32, 32; "
           "st.global.L2::cache_hint.u32 [$g], $a, p; ld.global.u32 $d, [$g]; }",
           same, 80);
  row<One>(t,
           "{ .reg .b64 p, q; mov.b64 q, 0; createpolicy.cvt.L2.b64 p, q; "
           "st.global.L2::cache_hint.u32 [$g], $a, p; ld.global.u32 $d, [$g]; }",
           same, 80);
  row<u64(u64, u64)>(t, "{ .reg .b128 q; mov.b128 q, {$a, $b}; st.global.b128 [$g], q; ld.global.u64 $d, [$g+8]; }",
                     [](u64, u64 b) { return b; });
  row<u64(u64, u64)>(t,
                     "{ .reg .b128 q; st.global.v2.u64 [$g], {$a, $b}; ld.global.b128 q, [$g]; mov.b128 {$d, _}, q; }",
                     [](u64 a, u64) { return a; });
  row<One>(t, "st.shared::cta.u32 [$s], $a; ld.shared::cta.u32 $d, [$s];", same);
  row<One>(t, "st.shared::cluster.u32 [$s], $a; ld.shared::cluster.u32 $d, [$s];", same, 90);
}

void addresses(Table &t) {
  auto same = [](u32 a) { return a; };
  using One = u32(u32);
  row<One>(t, "{ .reg .b64 p, q; cvt.u64.u32 p, $s; cvta.shared.u64 q, p; st.u32 [q], $a; ld.shared.u32 $d, [$s]; }",
           same);
  row<One>(t,
           "{ .reg .b64 p, q; cvt.u64.u32 p, $s; cvta.shared.u64 q, p; cvta.to.shared.u64 p, q; st.shared.u32 [p], $a; "
           "ld.u32 $d, [q]; }",
           same);
  row<One>(t, "{ .reg .b64 p; cvta.local.u64 p, $l; st.u32 [p], $a; ld.local.u32 $d, [$l]; }", same);
  row<One>(t,
           "{ .reg .b64 p; cvta.global.u64 p, $g; cvta.to.global.u64 p, p; st.global.u32 [p], $a; ld.u32 $d, [$g]; }",
           same);
  auto space = [&](const char *test, const char *of, bool want) {
    row<bool()>(
        t, std::string("{ .reg .b64 p, q; cvt.u64.u32 p, $s; ") + of + " isspacep." + test + " $d, q; }",
        [want] { return want; }, std::string(test) == "shared::cluster" ? 90 : 75);
  };
  const char *shared = "cvta.shared.u64 q, p;", *local = "cvta.local.u64 q, $l;", *global = "mov.u64 q, $g;";
  space("shared", shared, true);
  space("shared", local, false);
  space("shared::cta", shared, true);
  space("shared::cluster", shared, true);
  space("local", local, true);
  space("local", global, false);
  space("global", global, true);
  space("global", shared, false);
  space("const", global, false);
  row<u32(u32)>(
      t, "{ .reg .b32 m; mapa.shared::cluster.u32 m, $s, 0; st.shared::cluster.u32 [m], $a; ld.shared.u32 $d, [$s]; }",
      same, 90);
  row<u32()>(
      t, "{ .reg .b32 m; mapa.shared::cluster.u32 m, $s, 0; getctarank.shared::cluster.u32 $d, m; }", [] { return 0u; },
      90);
  row<u32()>(
      t, "{ .reg .b64 p, m; cvt.u64.u32 p, $s; cvta.shared.u64 p, p; mapa.u64 m, p, 0; getctarank.u64 $d, m; }",
      [] { return 0u; }, 90);
}

// An atomic on the thread's own word: the stored value and the answered one, xor-ed or chosen by `old`.
template <class T, class F>
void atomic(Table &t, const std::string &op, const std::string &type, F f, int arch = 75, const char *load = nullptr) {
  std::string l = load ? load : type;
  for (const char *space : {"global", "shared"}) {
    std::string at = space[0] == 'g' ? "[$g]" : "[$s]", s = space;
    row<T(T, T)>(
        t, "st." + s + "." + l + " " + at + ", $a; atom." + s + "." + op + "." + type + " $d, " + at + ", $b;",
        [](T a, T) { return a; }, arch);
    row<T(T, T)>(t,
                 "st." + s + "." + l + " " + at + ", $a; red." + s + "." + op + "." + type + " " + at + ", $b; ld." +
                     s + "." + l + " $d, " + at + ";",
                 f, arch);
  }
}

void atomics(Table &t) {
  atomic<u32>(t, "add", "u32", [](u32 a, u32 b) { return a + b; });
  atomic<s32>(t, "add", "s32", [](s32 a, s32 b) { return s32(u32(a) + u32(b)); });
  atomic<u64>(t, "add", "u64", [](u64 a, u64 b) { return a + b; });
  atomic<u32>(t, "min", "u32", [](u32 a, u32 b) { return std::min(a, b); });
  atomic<s32>(t, "min", "s32", [](s32 a, s32 b) { return std::min(a, b); });
  atomic<u64>(t, "min", "u64", [](u64 a, u64 b) { return std::min(a, b); });
  atomic<s64>(t, "min", "s64", [](s64 a, s64 b) { return std::min(a, b); });
  atomic<u32>(t, "max", "u32", [](u32 a, u32 b) { return std::max(a, b); });
  atomic<s32>(t, "max", "s32", [](s32 a, s32 b) { return std::max(a, b); });
  atomic<u64>(t, "max", "u64", [](u64 a, u64 b) { return std::max(a, b); });
  atomic<s64>(t, "max", "s64", [](s64 a, s64 b) { return std::max(a, b); });
  atomic<u32>(t, "and", "b32", [](u32 a, u32 b) { return a & b; });
  atomic<u64>(t, "and", "b64", [](u64 a, u64 b) { return a & b; });
  atomic<u32>(t, "or", "b32", [](u32 a, u32 b) { return a | b; });
  atomic<u64>(t, "or", "b64", [](u64 a, u64 b) { return a | b; });
  atomic<u32>(t, "xor", "b32", [](u32 a, u32 b) { return a ^ b; });
  atomic<u64>(t, "xor", "b64", [](u64 a, u64 b) { return a ^ b; });
  atomic<u32>(t, "inc", "u32", [](u32 a, u32 b) { return a >= b ? 0 : a + 1; });
  atomic<u32>(t, "dec", "u32", [](u32 a, u32 b) { return a == 0 || a > b ? b : a - 1; });
  atomic<float>(t, "add", "f32", [](float a, float b) { return a + b; });
  atomic<double>(t, "add", "f64", [](double a, double b) { return a + b; });
  atomic<f16>(t, "add.noftz", "f16", [](f16 a, f16 b) { return half(number(a) + number(b)); }, 75, "b16");
  atomic<f16x2>(
      t, "add.noftz", "f16x2",
      [](f16x2 a, f16x2 b) {
        return pack(half(number(low(a)) + number(low(b))), half(number(high(a)) + number(high(b))));
      },
      75, "b32");
  atomic<bf16>(t, "add.noftz", "bf16", [](bf16 a, bf16 b) { return brain(number(a) + number(b)); }, 90, "b16");
  atomic<bf16x2>(
      t, "add.noftz", "bf16x2",
      [](bf16x2 a, bf16x2 b) {
        return pack(brain(number(low(a)) + number(low(b))), brain(number(high(a)) + number(high(b))));
      },
      90, "b32");
  using Two = u32(u32, u32);
  auto first = [](u32 a, u32) { return a; };
  auto sum = [](u32 a, u32 b) { return a + b; };
  row<Two>(t, "st.global.u32 [$g], $a; atom.global.exch.b32 $d, [$g], $b;", first);
  row<Two>(t, "st.shared.u32 [$s], $a; atom.shared.exch.b32 _, [$s], $b; ld.shared.u32 $d, [$s];",
           [](u32, u32 b) { return b; });
  row<u64(u64, u64)>(t, "st.global.u64 [$g], $a; atom.global.exch.b64 $d, [$g], $b;", [](u64 a, u64) { return a; });
  row<u32(u32, u32, bool)>(t,
                           "{ .reg .b32 x; st.global.u32 [$g], $a; selp.b32 x, $a, $b, $c; "
                           "atom.global.cas.b32 x, [$g], x, 77; ld.global.u32 $d, [$g]; }",
                           [](u32 a, u32 b, bool c) { return c || a == b ? 77u : a; });
  row<u64(u64, bool)>(t,
                      "{ .reg .b64 x; st.global.u64 [$g], $a; selp.b64 x, $a, 5, $b; "
                      "atom.global.cas.b64 x, [$g], x, 77; ld.global.u64 $d, [$g]; }",
                      [](u64 a, bool b) { return b || a == 5 ? u64(77) : a; });
  row<u16(u16, u16)>(
      t, "st.global.b16 [$g], $a; { .reg .b16 o; atom.global.cas.b16 o, [$g], $a, $b; } ld.global.b16 $d, [$g];",
      [](u16, u16 b) { return b; });
  row<u64(u64, u64)>(
      t,
      "{ .reg .b128 q, o; st.global.v2.u64 [$g], {$a, $b}; mov.b128 q, {$b, $a}; "
      "atom.global.exch.b128 o, [$g], q; mov.b128 {$d, _}, o; }",
      [](u64 a, u64) { return a; }, 90);
  row<u64(u64, u64)>(
      t,
      "{ .reg .b128 q, o, r; st.global.v2.u64 [$g], {$a, $b}; mov.b128 q, {$a, $b}; mov.b128 r, {$b, $a}; "
      "atom.global.cas.b128 o, [$g], q, r; ld.global.u64 $d, [$g]; }",
      [](u64, u64 b) { return b; }, 90);
  for (const char *order : {"relaxed.gpu", "acquire.gpu", "release.sys", "acq_rel.cta", "relaxed.sys"})
    row<Two>(t,
             std::string("st.global.u32 [$g], $a; atom.") + order +
                 ".global.add.u32 _, [$g], $b; ld.global.u32 $d, [$g];",
             sum);
  row<Two>(t, "st.global.u32 [$g], $a; atom.add.u32 _, [$g], $b; ld.global.u32 $d, [$g];", sum);
  row<Two>(t, "st.global.u32 [$g], $a; red.relaxed.gpu.global.add.u32 [$g], $b; ld.global.u32 $d, [$g];", sum);
  row<Two>(t, "st.global.u32 [$g], $a; red.release.gpu.global.add.u32 [$g], $b; ld.global.u32 $d, [$g];", sum);
  row<float(float, float)>(
      t, "st.global.v2.f32 [$g], {$a, $b}; red.global.add.v2.f32 [$g], {$a, $b}; ld.global.f32 $d, [$g+4];",
      [](float, float b) { return b + b; }, 90);
  row<float(float, float)>(
      t,
      "{ .reg .f32 o<4>; st.global.v4.f32 [$g], {$a, $b, $a, $b}; atom.global.v4.f32.add {o0, o1, o2, o3}, [$g], {$a, "
      "$b, $a, $b}; "
      "mov.f32 $d, o3; }",
      [](float, float b) { return b; }, 90);
  row<f16x2(f16x2)>(
      t, "st.global.v2.b32 [$g], {$a, $a}; red.global.v2.f16x2.add.noftz [$g], {$a, $a}; ld.global.b32 $d, [$g+4];",
      [](f16x2 a) { return pack(half(2 * number(low(a))), half(2 * number(high(a)))); }, 90);
}
} // namespace

void memoryRows(Table &t) {
  transfers(t);
  addresses(t);
  atomics(t);
}

} // namespace forms
