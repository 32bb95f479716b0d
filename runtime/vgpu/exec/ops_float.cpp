// f32 and f64 arithmetic (ISA 9.7.3) with rounding modes, .ftz, .sat; approximations are the host's, which are closer.
#include "runtime/vgpu/exec/numeric.h"
#include "runtime/vgpu/exec/runners.h"
#include <cfenv>

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

enum Flag : u8 { ftz = 1, sat = 2, absolute = 4 };

struct Add {
  template <class T> static T f(T a, T b, T) { return a + b; }
};
struct Sub {
  template <class T> static T f(T a, T b, T) { return a - b; }
};
struct Mul {
  template <class T> static T f(T a, T b, T) { return a * b; }
};
struct Fma {
  template <class T> static T f(T a, T b, T c) { return std::fma(a, b, c); }
};
struct Div {
  template <class T> static T f(T a, T b, T) { return a / b; }
};
struct Abs {
  template <class T> static T f(T a, T, T) { return std::fabs(a); }
};
struct Neg {
  template <class T> static T f(T a, T, T) { return -a; }
};
struct Rcp {
  template <class T> static T f(T a, T, T) { return T(1) / a; }
};
struct Sqrt {
  template <class T> static T f(T a, T, T) { return std::sqrt(a); }
};
struct Rsqrt {
  template <class T> static T f(T a, T, T) { return T(1 / std::sqrt(double(a))); }
};
struct Sin {
  template <class T> static T f(T a, T, T) { return std::sin(a); }
};
struct Cos {
  template <class T> static T f(T a, T, T) { return std::cos(a); }
};
struct Lg2 {
  template <class T> static T f(T a, T, T) { return std::log2(a); }
};
struct Ex2 {
  template <class T> static T f(T a, T, T) { return std::exp2(a); }
};
struct Tanh {
  template <class T> static T f(T a, T, T) { return std::tanh(a); }
};
// -0 is below +0; a NaN loses against a number.
struct Min {
  template <class T> static T f(T a, T b, T) {
    T m = a < b || (a == b && std::signbit(a)) ? a : b;
    return a != a ? b : b != b ? a : m;
  }
};
struct Max {
  template <class T> static T f(T a, T b, T) {
    T m = a > b || (a == b && !std::signbit(a)) ? a : b;
    return a != a ? b : b != b ? a : m;
  }
};
struct MinNan {
  template <class T> static T f(T a, T b, T c) { return a != a ? a : b != b ? b : Min::f<T>(a, b, c); }
};
struct MaxNan {
  template <class T> static T f(T a, T b, T c) { return a != a ? a : b != b ? b : Max::f<T>(a, b, c); }
};
struct MinXor {
  template <class T> static T f(T a, T b, T c) {
    return std::copysign(Min::f<T>(std::fabs(a), std::fabs(b), c), std::signbit(a) != std::signbit(b) ? T(-1) : T(1));
  }
};
struct MaxXor {
  template <class T> static T f(T a, T b, T c) {
    return std::copysign(Max::f<T>(std::fabs(a), std::fabs(b), c), std::signbit(a) != std::signbit(b) ? T(-1) : T(1));
  }
};
struct MinNanXor {
  template <class T> static T f(T a, T b, T c) { return a != a ? a : b != b ? b : MinXor::f<T>(a, b, c); }
};
struct MaxNanXor {
  template <class T> static T f(T a, T b, T c) { return a != a ? a : b != b ? b : MaxXor::f<T>(a, b, c); }
};
struct CopySign {
  template <class T> static T f(T a, T b, T) { return std::copysign(b, a); }
};

// The host's rounding mode while directed rounding is computed.
struct Rounding {
  int before = 0;
  explicit Rounding(u8 mode) : before(std::fegetround()) {
    std::fesetround(mode == u8(Round::zero) ? FE_TOWARDZERO : mode == u8(Round::down) ? FE_DOWNWARD : FE_UPWARD);
  }
  ~Rounding() { std::fesetround(before); }
};

template <class T, class F> struct Float {
  static constexpr bool single = sizeof(T) == 4;

  // `noinline` and the barriers keep the arithmetic between the changes of the rounding mode.
  [[gnu::noinline]] static void rounded(const T *a, const T *b, const T *c, T *t, u8 mode) {
    Rounding rounding(mode);
    asm volatile("" : : "r"(a), "r"(b), "r"(c), "r"(t) : "memory");
    for (u32 l = 0; l < lanes; ++l)
      t[l] = F::template f<T>(a[l], b[l], c[l]);
    asm volatile("" : : "r"(t) : "memory");
  }

  static void run(Warp &w, const Op &op) {
    const T *a = w.in<T>(op.a), *b = w.in<T>(op.b), *c = w.in<T>(op.c);
    alignas(64) T t[lanes];
    alignas(64) T flushed[3][lanes];
    if constexpr (single)
      if (op.flag & ftz) {
        for (u32 l = 0; l < lanes; ++l) {
          flushed[0][l] = flush(a[l]);
          flushed[1][l] = flush(b[l]);
          flushed[2][l] = flush(c[l]);
        }
        a = flushed[0], b = flushed[1], c = flushed[2];
      }
    if (op.flag2)
      rounded(a, b, c, t, op.flag2);
    else
      for (u32 l = 0; l < lanes; ++l)
        t[l] = F::template f<T>(a[l], b[l], c[l]);
    if constexpr (single) {
      for (u32 l = 0; l < lanes; ++l)
        t[l] = canonical(t[l]);
      if (op.flag & ftz)
        for (u32 l = 0; l < lanes; ++l)
          t[l] = flush(t[l]);
    }
    if (op.flag & sat)
      for (u32 l = 0; l < lanes; ++l)
        t[l] = t[l] > 0 ? (t[l] < 1 ? t[l] : T(1)) : T(0);
    w.put(op.d, reinterpret_cast<const Cell<T> *>(t));
  }
};

// rcp and rsqrt .approx.ftz.f64: from the upper word of the operand, into the upper word of the result.
template <class F> void runGross(Warp &w, const Op &op) {
  map1<u64, u64>(w, op, [](u64 a) {
    constexpr u64 upper = ~0ull << 32, infinity = 0x7ff0000000000000;
    auto zeroed = [](u64 bits) { return bits & infinity ? bits & upper : bits & 1ull << 63; };
    double r = F::template f<double>(std::bit_cast<double>(zeroed(a)), 0, 0);
    return r != r ? 0x7fffffff00000000 : zeroed(std::bit_cast<u64>(r));
  });
}

template <class F> bool decode(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  op.flag = u8((i.has("ftz") ? ftz : 0) | (i.has("sat") ? sat : 0));
  op.flag2 = u8(i.has("rz") ? Round::zero : i.has("rm") ? Round::down : i.has("rp") ? Round::up : Round::nearest);
  if (t == Type::f32)
    op.run = Float<float, F>::run;
  else if (t == Type::f64)
    op.run = Float<double, F>::run;
  else
    return false;
  if (!operands(d, i, op, t, t))
    return false;
  if (i.operands.size() < 3)
    op.b = op.a;
  if (i.operands.size() < 4)
    op.c = op.a;
  return true;
}

template <class F, Pipe pipe> bool unary(Decoder &d, const Instruction &i, Op &op);
} // namespace

bool decodeHalf(Decoder &d, const Instruction &i, Op &op); // ops_half.cpp

bool decodeFloatArithmetic(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  if (info(t).bits <= 16 || t == Type::f16x2 || t == Type::bf16x2)
    return decodeHalf(d, i, op);
  if (i.types.size() == 2 && i.types[0] == Type::f32) // add.f32.f16: mixed precision is sm_100
    return false;
  op.pipe = t == Type::f64 ? Pipe::wide : Pipe::fma;
  if (i.opcode == "add")
    return decode<Add>(d, i, op);
  if (i.opcode == "sub")
    return decode<Sub>(d, i, op);
  if (i.opcode == "mul")
    return decode<Mul>(d, i, op);
  if (i.opcode == "mad" || i.opcode == "fma")
    return decode<Fma>(d, i, op);
  if (i.opcode == "div")
    return op.pipe = Pipe::special, decode<Div>(d, i, op);
  op.pipe = t == Type::f64 ? Pipe::wide : Pipe::alu;
  if (i.opcode == "abs")
    return decode<Abs>(d, i, op);
  if (i.opcode == "neg")
    return decode<Neg>(d, i, op);
  if (i.operands.size() != 3)
    return d.refuse("of three values needs sm_100");
  bool nan = i.has("NaN"), sign = i.has("xorsign");
  if (i.opcode == "min")
    return sign  ? (nan ? decode<MinNanXor>(d, i, op) : decode<MinXor>(d, i, op))
           : nan ? decode<MinNan>(d, i, op)
                 : decode<Min>(d, i, op);
  if (i.opcode == "max")
    return sign  ? (nan ? decode<MaxNanXor>(d, i, op) : decode<MaxXor>(d, i, op))
           : nan ? decode<MaxNan>(d, i, op)
                 : decode<Max>(d, i, op);
  return false;
}

namespace {
template <class F, Pipe pipe> bool unary(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  if (info(t).bits <= 16 || t == Type::f16x2 || t == Type::bf16x2)
    return decodeHalf(d, i, op);
  op.pipe = pipe;
  return decode<F>(d, i, op);
}

template <class F> bool reciprocal(Decoder &d, const Instruction &i, Op &op) {
  if (!unary<F, Pipe::special>(d, i, op))
    return false;
  if (i.type() == Type::f64 && i.has("approx") && i.has("ftz"))
    op.run = runGross<F>;
  return true;
}

// testp: one predicate a lane.
template <class T> void runTest(Warp &w, const Op &op) {
  const T *a = w.in<T>(op.a);
  u32 bits = 0;
  for (u32 l = 0; l < lanes; ++l) {
    int c = std::fpclassify(a[l]);
    bool r = op.flag == 0   ? c != FP_NAN && c != FP_INFINITE
             : op.flag == 1 ? c == FP_INFINITE
             : op.flag == 2 ? c != FP_NAN
             : op.flag == 3 ? c == FP_NAN
             : op.flag == 4 ? c == FP_NORMAL
                            : c == FP_SUBNORMAL;
    bits |= u32(r) << l;
  }
  w.putPredicate(op.d, bits);
}
} // namespace

void addFloatOps(OpTable &table) {
  table["fma"] = decodeFloatArithmetic;
  table["rcp"] = reciprocal<Rcp>;
  table["sqrt"] = unary<Sqrt, Pipe::special>;
  table["rsqrt"] = reciprocal<Rsqrt>;
  table["sin"] = unary<Sin, Pipe::special>;
  table["cos"] = unary<Cos, Pipe::special>;
  table["lg2"] = unary<Lg2, Pipe::special>;
  table["ex2"] = unary<Ex2, Pipe::special>;
  table["tanh"] = unary<Tanh, Pipe::special>;
  table["copysign"] = [](Decoder &d, const Instruction &i, Op &op) { return decode<CopySign>(d, i, op); };
  table["testp"] = [](Decoder &d, const Instruction &i, Op &op) {
    constexpr std::string_view tests[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
    for (u8 k = 0; k < 6; ++k)
      if (i.has(tests[k]))
        op.flag = k;
    op.run = i.type() == Type::f64 ? runTest<double> : runTest<float>;
    op.a = d.in(i.operands[1], i.type());
    op.d = d.predicateOut(i.operands[0]);
    return d.ok();
  };
}

} // namespace tessera::vgpu
