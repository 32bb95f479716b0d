// f32 and f64 arithmetic (ISA 9.7.3): the host's IEEE operations, in the host's rounding modes.
#include "tests/vgpu/forms/forms.h"
#include <cfenv>

namespace forms {
namespace {
constexpr std::pair<const char *, int> roundings[] = {
    {"rn", FE_TONEAREST}, {"rz", FE_TOWARDZERO}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}};

// f() while the processor rounds as `mode` says; volatile operands keep the arithmetic inside.
template <class T, class F> T rounded(int mode, T a, T b, T c, F f) {
  volatile T x = a, y = b, z = c;
  std::fesetround(mode);
  volatile T r = f(x, y, z);
  std::fesetround(FE_TONEAREST);
  return r;
}

template <class T> void arithmetic(Table &t, const std::string &n) {
  for (auto [name, mode] : roundings) {
    std::string m = name;
    auto two = [mode](auto f) {
      return [mode, f](T a, T b) { return rounded<T>(mode, a, b, T(0), [f](T x, T y, T) { return f(x, y); }); };
    };
    row<T(T, T)>(t, "add." + m + "." + n + " $d, $a, $b;", two([](T x, T y) { return x + y; }));
    row<T(T, T)>(t, "sub." + m + "." + n + " $d, $a, $b;", two([](T x, T y) { return x - y; }));
    row<T(T, T)>(t, "mul." + m + "." + n + " $d, $a, $b;", two([](T x, T y) { return x * y; }));
    row<T(T, T)>(t, "div." + m + "." + n + " $d, $a, $b;", two([](T x, T y) { return x / y; }));
    row<T(T)>(t, "rcp." + m + "." + n + " $d, $a;",
              [mode](T a) { return rounded<T>(mode, a, T(1), T(0), [](T x, T one, T) { return one / x; }); });
    row<T(T)>(t, "sqrt." + m + "." + n + " $d, $a;",
              [mode](T a) { return rounded<T>(mode, a, T(0), T(0), [](T x, T, T) { return std::sqrt(x); }); });
    row<T(T, T, T)>(t, "fma." + m + "." + n + " $d, $a, $b, $c;", [mode](T a, T b, T c) {
      return rounded<T>(mode, a, b, c, [](T x, T y, T z) { return std::fma(x, y, z); });
    });
  }
  row<T(T, T)>(t, "add." + n + " $d, $a, $b;", [](T a, T b) { return a + b; });
  row<T(T, T, T)>(t, "mad.rn." + n + " $d, $a, $b, $c;", [](T a, T b, T c) { return std::fma(a, b, c); });
  row<T(T)>(t, "abs." + n + " $d, $a;", [](T a) { return std::fabs(a); });
  row<T(T)>(t, "neg." + n + " $d, $a;", [](T a) { return -a; });
  row<T(T, T)>(t, "copysign." + n + " $d, $a, $b;", [](T a, T b) { return std::copysign(b, a); });
  auto below = [](T a, T b) { return a < b || (a == b && std::signbit(a) && !std::signbit(b)); };
  row<T(T, T)>(t, "min." + n + " $d, $a, $b;", [below](T a, T b) {
    return std::isnan(a) ? b : std::isnan(b) ? a : below(a, b) ? a : b;
  });
  row<T(T, T)>(t, "max." + n + " $d, $a, $b;", [below](T a, T b) {
    return std::isnan(a) ? b : std::isnan(b) ? a : below(a, b) ? b : a;
  });
  row<bool(T)>(t, "testp.finite." + n + " $d, $a;", [](T a) { return std::isfinite(a); });
  row<bool(T)>(t, "testp.infinite." + n + " $d, $a;", [](T a) { return std::isinf(a); });
  row<bool(T)>(t, "testp.number." + n + " $d, $a;", [](T a) { return !std::isnan(a); });
  row<bool(T)>(t, "testp.notanumber." + n + " $d, $a;", [](T a) { return std::isnan(a); });
  row<bool(T)>(t, "testp.normal." + n + " $d, $a;", [](T a) { return std::isnormal(a); });
  row<bool(T)>(t, "testp.subnormal." + n + " $d, $a;", [](T a) { return std::fpclassify(a) == FP_SUBNORMAL; });
}

float smaller(float a, float b) { return a < b || (a == b && std::signbit(a)) ? a : b; }
float greater(float a, float b) { return a > b || (a == b && !std::signbit(a)) ? a : b; }

void single(Table &t) {
  row<float(float, float)>(t, "add.ftz.f32 $d, $a, $b;",
                           [](float a, float b) { return flushed(flushed(a) + flushed(b)); });
  row<float(float, float)>(t, "sub.rn.ftz.f32 $d, $a, $b;",
                           [](float a, float b) { return flushed(flushed(a) - flushed(b)); });
  row<float(float, float)>(t, "mul.ftz.f32 $d, $a, $b;",
                           [](float a, float b) { return flushed(flushed(a) * flushed(b)); });
  row<float(float, float, float)>(t, "fma.rn.ftz.f32 $d, $a, $b, $c;", [](float a, float b, float c) {
    return flushed(std::fma(flushed(a), flushed(b), flushed(c)));
  });
  row<float(float, float)>(t, "add.sat.f32 $d, $a, $b;", [](float a, float b) { return saturated(a + b); });
  row<float(float, float)>(t, "sub.sat.f32 $d, $a, $b;", [](float a, float b) { return saturated(a - b); });
  row<float(float, float)>(t, "mul.rn.sat.f32 $d, $a, $b;", [](float a, float b) { return saturated(a * b); });
  row<float(float, float, float)>(t, "fma.rn.sat.f32 $d, $a, $b, $c;",
                                  [](float a, float b, float c) { return saturated(std::fma(a, b, c)); });
  row<float(float, float, float)>(t, "fma.rn.ftz.sat.f32 $d, $a, $b, $c;", [](float a, float b, float c) {
    return flushed(saturated(std::fma(flushed(a), flushed(b), flushed(c))));
  });
  row<float(float)>(t, "abs.ftz.f32 $d, $a;", [](float a) { return std::fabs(flushed(a)); });
  row<float(float)>(t, "neg.ftz.f32 $d, $a;", [](float a) { return -flushed(a); });
  row<float(float, float)>(t, "min.ftz.f32 $d, $a, $b;", [](float a, float b) {
    return std::isnan(a) ? flushed(b) : std::isnan(b) ? flushed(a) : smaller(flushed(a), flushed(b));
  });
  row<float(float, float)>(
      t, "min.NaN.f32 $d, $a, $b;",
      [](float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : smaller(a, b); }, 80);
  row<float(float, float)>(
      t, "max.NaN.f32 $d, $a, $b;",
      [](float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : greater(a, b); }, 80);
  row<float(float, float)>(
      t, "max.ftz.NaN.f32 $d, $a, $b;",
      [](float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : greater(flushed(a), flushed(b)); }, 80);
  auto sign = [](float a, float b) { return std::signbit(a) != std::signbit(b) ? -1.0f : 1.0f; };
  row<float(float, float)>(
      t, "min.xorsign.abs.f32 $d, $a, $b;",
      [sign](float a, float b) {
        float x = std::fabs(a), y = std::fabs(b), m = std::isnan(a) ? y : std::isnan(b) ? x : std::min(x, y);
        return std::copysign(m, sign(a, b));
      },
      86);
  row<float(float, float)>(
      t, "max.xorsign.abs.f32 $d, $a, $b;",
      [sign](float a, float b) {
        float x = std::fabs(a), y = std::fabs(b), m = std::isnan(a) ? y : std::isnan(b) ? x : std::max(x, y);
        return std::copysign(m, sign(a, b));
      },
      86);
  row<float(float, float)>(
      t, "max.NaN.xorsign.abs.f32 $d, $a, $b;",
      [sign](float a, float b) {
        float m = std::max(std::fabs(a), std::fabs(b));
        return std::isnan(a) || std::isnan(b) ? NAN : std::copysign(m, sign(a, b));
      },
      86);
}

// Approximations: ours are the host's functions, well inside the error that the ISA allows; the table's tolerance is
// that of the ISA's bound (2 ulp of f32, about 2^-22, or an absolute one near zero).
void approximations(Table &t) {
  using F = float(float);
  constexpr double ulps = 0x1p-21;
  row<float(float, float)>(t, "div.approx.f32 $d, $a, $b;", [](float a, float b) { return a / b; }, 75, ulps);
  row<float(float, float)>(t, "div.full.f32 $d, $a, $b;", [](float a, float b) { return a / b; }, 75, ulps);
  row<float(float, float)>(
      t, "div.approx.ftz.f32 $d, $a, $b;", [](float a, float b) { return flushed(flushed(a) / flushed(b)); }, 75, ulps);
  row<F>(t, "rcp.approx.f32 $d, $a;", [](float a) { return 1 / a; }, 75, ulps);
  row<F>(t, "rcp.approx.ftz.f32 $d, $a;", [](float a) { return flushed(1 / flushed(a)); }, 75, ulps);
  row<F>(t, "sqrt.approx.f32 $d, $a;", [](float a) { return std::sqrt(a); }, 75, ulps);
  row<F>(t, "sqrt.approx.ftz.f32 $d, $a;", [](float a) { return std::sqrt(flushed(a)); }, 75, ulps);
  row<F>(t, "rsqrt.approx.f32 $d, $a;", [](float a) { return float(1 / std::sqrt(double(a))); }, 75, ulps);
  row<F>(t, "rsqrt.approx.ftz.f32 $d, $a;", [](float a) { return float(1 / std::sqrt(double(flushed(a)))); }, 75, ulps);
  row<F>(t, "lg2.approx.f32 $d, $a;", [](float a) { return float(std::log2(double(a))); }, 75, ulps);
  row<F>(t, "lg2.approx.ftz.f32 $d, $a;", [](float a) { return float(std::log2(double(flushed(a)))); }, 75, ulps);
  row<F>(t, "ex2.approx.f32 $d, $a;", [](float a) { return float(std::exp2(double(a))); }, 75, ulps);
  row<F>(
      t, "ex2.approx.ftz.f32 $d, $a;", [](float a) { return flushed(float(std::exp2(double(flushed(a))))); }, 75, ulps);
  row<F>(t, "sin.approx.f32 $d, $a;", [](float a) { return float(std::sin(double(a))); }, 75, ulps);
  row<F>(t, "cos.approx.f32 $d, $a;", [](float a) { return float(std::cos(double(a))); }, 75, ulps);
  row<F>(
      t, "sin.approx.ftz.f32 $d, $a;", [](float a) { return flushed(float(std::sin(double(flushed(a))))); }, 75, ulps);
  row<F>(t, "cos.approx.ftz.f32 $d, $a;", [](float a) { return float(std::cos(double(flushed(a)))); }, 75, ulps);
  row<F>(t, "tanh.approx.f32 $d, $a;", [](float a) { return float(std::tanh(double(a))); }, 75, 0x1p-10);
  // Gross approximations of f64: 2^-20 or better, subnormals are zeros.
  auto zero = [](double v) { return std::fabs(v) < 0x1p-1022 ? std::copysign(0.0, v) : v; };
  row<double(double)>(t, "rcp.approx.ftz.f64 $d, $a;", [zero](double a) { return zero(1 / zero(a)); }, 75, 0x1p-19);
  row<double(double)>(
      t, "rsqrt.approx.ftz.f64 $d, $a;", [zero](double a) { return 1 / std::sqrt(zero(a)); }, 75, 0x1p-19);
  row<double(double)>(t, "rsqrt.approx.f64 $d, $a;", [](double a) { return 1 / std::sqrt(a); }, 75, 0x1p-19);
}
} // namespace

void floatRows(Table &t) {
  arithmetic<float>(t, "f32");
  arithmetic<double>(t, "f64");
  single(t);
  approximations(t);
}

} // namespace forms
