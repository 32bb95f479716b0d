// f16, bf16 and their pairs (ISA 9.7.4): exact in double, rounded once; and the comparisons on them (9.7.7).
#include "tests/vgpu/forms/forms.h"
#include <algorithm>

namespace forms {
namespace {
template <class H> H made(double v) {
  if constexpr (std::is_same_v<H, f16>)
    return half(v);
  else
    return brain(v);
}
// The f64 next to an exact sum of a product, made odd when inexact: rounding it again gives the single rounding.
double fusedOdd(double a, double b, double c) {
  double p = a * b, s = p + c; // the product of two halves is exact
  if (!std::isfinite(s))
    return s;
  double z = s - p, error = (p - (s - z)) + (c - z);
  if (error != 0 && !(std::bit_cast<u64>(s) & 1))
    s = std::nextafter(s, error > 0 ? INFINITY : -INFINITY);
  return s;
}
template <class H> H quiet(H h) { return std::isnan(number(h)) ? H{0x7fff} : h; }
template <class H> H least(H a, H b) {
  double x = number(a), y = number(b);
  if (std::isnan(x) || std::isnan(y))
    return std::isnan(x) ? quiet(b) : a;
  return x < y || (x == y && std::signbit(x)) ? a : b;
}
template <class H> H greatest(H a, H b) {
  double x = number(a), y = number(b);
  if (std::isnan(x) || std::isnan(y))
    return std::isnan(x) ? quiet(b) : a;
  return x > y || (x == y && !std::signbit(x)) ? a : b;
}
template <class H> H flush(H h) { // subnormals of f16; bf16 has no .ftz that matters
  if constexpr (std::is_same_v<H, f16>)
    return {h.bits & 0x7c00 ? h.bits : u16(h.bits & 0x8000)};
  else
    return h;
}

// A scalar form and its pair at once: `f` works on one element.
template <class H, class P, class F>
void unary(Table &t, const std::string &op, const std::string &n, F f, int arch, double tolerance = 0) {
  row<H(H)>(t, op + "." + n + " $d, $a;", f, arch, tolerance);
  row<P(P)>(t, op + "." + n + "x2 $d, $a;", [f](P a) { return pack(f(low(a)), f(high(a))); }, arch, tolerance);
}
template <class H, class P, class F> void binary(Table &t, const std::string &op, const std::string &n, F f, int arch) {
  row<H(H, H)>(t, op + "." + n + " $d, $a, $b;", f, arch);
  row<P(P, P)>(
      t, op + "." + n + "x2 $d, $a, $b;", [f](P a, P b) { return pack(f(low(a), low(b)), f(high(a), high(b))); }, arch);
}
template <class H, class P, class F>
void ternary(Table &t, const std::string &op, const std::string &n, F f, int arch) {
  row<H(H, H, H)>(t, op + "." + n + " $d, $a, $b, $c;", f, arch);
  row<P(P, P, P)>(
      t, op + "." + n + "x2 $d, $a, $b, $c;",
      [f](P a, P b, P c) { return pack(f(low(a), low(b), low(c)), f(high(a), high(b), high(c))); }, arch);
}

template <class H, class P> void common(Table &t, const std::string &n, int sums, int other, int ordering) {
  auto fused = [](H a, H b, H c) { return made<H>(fusedOdd(number(a), number(b), number(c))); };
  binary<H, P>(t, "add.rn", n, [](H a, H b) { return made<H>(number(a) + number(b)); }, sums);
  binary<H, P>(t, "sub.rn", n, [](H a, H b) { return made<H>(number(a) - number(b)); }, sums);
  binary<H, P>(t, "mul.rn", n, [](H a, H b) { return made<H>(number(a) * number(b)); }, sums);
  ternary<H, P>(t, "fma.rn", n, fused, other);
  ternary<H, P>(
      t, "fma.rn.relu", n,
      [fused](H a, H b, H c) {
        H r = fused(a, b, c);
        return number(r) > 0 || std::isnan(number(r)) ? r : H{0};
      },
      ordering);
  unary<H, P>(t, "neg", n, [](H a) { return H{u16(a.bits ^ 0x8000)}; }, other);
  unary<H, P>(t, "abs", n, [](H a) { return H{u16(a.bits & 0x7fff)}; }, other);
  binary<H, P>(t, "min", n, least<H>, ordering);
  binary<H, P>(t, "max", n, greatest<H>, ordering);
  auto nan = [](H a, H b) { return std::isnan(number(a)) || std::isnan(number(b)); };
  binary<H, P>(t, "min.NaN", n, [nan](H a, H b) { return nan(a, b) ? H{0x7fff} : least(a, b); }, ordering);
  binary<H, P>(t, "max.NaN", n, [nan](H a, H b) { return nan(a, b) ? H{0x7fff} : greatest(a, b); }, ordering);
  auto signs = [](H a, H b, H m) {
    return std::isnan(number(m)) ? H{0x7fff} : H{u16((m.bits & 0x7fff) | ((a.bits ^ b.bits) & 0x8000))};
  };
  auto bare = [](H a) { return H{u16(a.bits & 0x7fff)}; };
  binary<H, P>(t, "min.xorsign.abs", n, [=](H a, H b) { return signs(a, b, least(bare(a), bare(b))); }, 86);
  binary<H, P>(t, "max.xorsign.abs", n, [=](H a, H b) { return signs(a, b, greatest(bare(a), bare(b))); }, 86);
}

void onlyHalf(Table &t) {
  auto clamp = [](f16 v) {
    double x = number(v);
    return x > 0 ? (x < 1 ? v : f16{0x3c00}) : f16{0};
  };
  binary<f16, f16x2>(
      t, "add.ftz", "f16", [](f16 a, f16 b) { return flush(half(number(flush(a)) + number(flush(b)))); }, 75);
  binary<f16, f16x2>(
      t, "mul.ftz", "f16", [](f16 a, f16 b) { return flush(half(number(flush(a)) * number(flush(b)))); }, 75);
  binary<f16, f16x2>(t, "add.sat", "f16", [clamp](f16 a, f16 b) { return clamp(half(number(a) + number(b))); }, 75);
  binary<f16, f16x2>(t, "sub.sat", "f16", [clamp](f16 a, f16 b) { return clamp(half(number(a) - number(b))); }, 75);
  ternary<f16, f16x2>(
      t, "fma.rn.sat", "f16",
      [clamp](f16 a, f16 b, f16 c) { return clamp(half(fusedOdd(number(a), number(b), number(c)))); }, 75);
  ternary<f16, f16x2>(
      t, "fma.rn.ftz", "f16",
      [](f16 a, f16 b, f16 c) { return flush(half(fusedOdd(number(flush(a)), number(flush(b)), number(flush(c))))); },
      75);
  binary<f16, f16x2>(t, "min.ftz", "f16", [](f16 a, f16 b) { return least(flush(a), flush(b)); }, 80);
  unary<f16, f16x2>(t, "neg.ftz", "f16", [](f16 a) { return f16{u16(flush(a).bits ^ 0x8000)}; }, 75);
  unary<f16, f16x2>(t, "abs.ftz", "f16", [](f16 a) { return f16{u16(flush(a).bits & 0x7fff)}; }, 75);
  unary<f16, f16x2>(t, "ex2.approx", "f16", [](f16 a) { return half(std::exp2(number(a))); }, 75, 0x1p-9);
  unary<f16, f16x2>(t, "tanh.approx", "f16", [](f16 a) { return half(std::tanh(number(a))); }, 75, 0x1p-9);
  unary<bf16, bf16x2>(t, "ex2.approx.ftz", "bf16", [](bf16 a) { return brain(std::exp2(number(a))); }, 90, 0x1p-6);
  unary<bf16, bf16x2>(t, "tanh.approx", "bf16", [](bf16 a) { return brain(std::tanh(number(a))); }, 90, 0x1p-6);
}
} // namespace

void halfRows(Table &t) {
  common<f16, f16x2>(t, "f16", 75, 75, 80);
  common<bf16, bf16x2>(t, "bf16", 90, 80, 80);
  onlyHalf(t);
}

} // namespace forms
