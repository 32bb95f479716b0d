// f16, bf16 and their pairs (ISA 9.7.4): computed in f32 (fma in f64), rounded once.
#include "runtime/vgpu/exec/numeric.h"
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

struct F16 {
  static float load(u16 bits) { return fromF16(bits); }
  static u16 store(float value) { return toF16(value); }
  static u16 flushed(u16 bits) { return bits & 0x7c00 ? bits : bits & 0x8000; }
};
struct Bf16 {
  static float load(u16 bits) { return fromBf16(bits); }
  static u16 store(float value) { return toBf16(value); }
  static u16 flushed(u16 bits) { return bits; }
};

enum Flag : u8 { ftz = 1, sat = 2, relu = 4, pair = 8 };

struct Add {
  static float f(float a, float b, float) { return a + b; }
};
struct Sub {
  static float f(float a, float b, float) { return a - b; }
};
struct Mul {
  static float f(float a, float b, float) { return a * b; }
};
struct Fma {
  // The product is exact in f64; an inexact sum is made odd, so that one rounding remains (an f64 alone would hide a
  // small addend behind a tie).
  static float f(float a, float b, float c) {
    double product = double(a) * double(b), sum = product + double(c);
    double part = sum - product, error = (product - (sum - part)) + (double(c) - part);
    auto bits = std::bit_cast<s64>(sum);
    s64 odd = error != 0 && error == error && !(bits & 1);
    bits += odd * ((error > 0) == (sum > 0) ? 1 : -1);
    return toOdd(std::bit_cast<double>(bits));
  }
};
struct Abs {
  static float f(float a, float, float) { return std::fabs(a); }
};
struct Neg {
  static float f(float a, float, float) { return -a; }
};
struct Min {
  static float f(float a, float b, float) {
    float m = a < b || (a == b && std::signbit(a)) ? a : b;
    return a != a ? b : b != b ? a : m;
  }
};
struct Max {
  static float f(float a, float b, float) {
    float m = a > b || (a == b && !std::signbit(a)) ? a : b;
    return a != a ? b : b != b ? a : m;
  }
};
struct MinNan {
  static float f(float a, float b, float c) { return a != a ? a : b != b ? b : Min::f(a, b, c); }
};
struct MaxNan {
  static float f(float a, float b, float c) { return a != a ? a : b != b ? b : Max::f(a, b, c); }
};
// .xorsign.abs: of the magnitudes, with the product's sign.
template <class F> struct Signed {
  static float f(float a, float b, float c) {
    return std::copysign(F::f(std::fabs(a), std::fabs(b), c), std::signbit(a) != std::signbit(b) ? -1.0f : 1.0f);
  }
};
struct Ex2 {
  static float f(float a, float, float) { return std::exp2(a); }
};
struct Tanh {
  static float f(float a, float, float) { return std::tanh(a); }
};

template <class Format, class F> u16 one(u16 a, u16 b, u16 c, u8 flags) {
  if (flags & ftz)
    a = Format::flushed(a), b = Format::flushed(b), c = Format::flushed(c);
  float r = F::f(Format::load(a), Format::load(b), Format::load(c));
  if (flags & sat)
    r = saturate(r);
  if (flags & relu)
    r = r > 0 || r != r ? r : 0.0f;
  u16 bits = Format::store(r);
  return flags & ftz ? Format::flushed(bits) : bits;
}

template <class Format, class F> struct Half {
  template <u8 flags> static void lanesOf(Warp &w, const Op &op) {
    const auto *a = w.in<u32>(op.a), *b = w.in<u32>(op.b), *c = w.in<u32>(op.c);
    alignas(64) u32 t[lanes];
    u8 more = flags == 0xff ? op.flag : flags;
    if (op.flag & pair)
      for (u32 l = 0; l < lanes; ++l)
        t[l] = one<Format, F>(u16(a[l]), u16(b[l]), u16(c[l]), more) |
               u32(one<Format, F>(u16(a[l] >> 16), u16(b[l] >> 16), u16(c[l] >> 16), more)) << 16;
    else
      for (u32 l = 0; l < lanes; ++l)
        t[l] = one<Format, F>(u16(a[l]), u16(b[l]), u16(c[l]), more);
    w.put(op.d, t);
  }
  static void run(Warp &w, const Op &op) {
    if (op.flag & ~pair)
      lanesOf<0xff>(w, op);
    else
      lanesOf<0>(w, op);
  }
};

// Sign operations keep every bit, NaN payloads too.
template <bool negate> void runSign(Warp &w, const Op &op) {
  u32 signs = op.flag & pair ? 0x80008000 : 0x8000;
  bool flushes = op.flag & ftz;
  map1<u32, u32>(w, op, [=](u32 a) {
    if (flushes)
      a = F16::flushed(u16(a)) | u32(F16::flushed(u16(a >> 16))) << 16;
    return negate ? a ^ signs : a & ~signs;
  });
}

template <class F> bool decode(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  bool brain = t == Type::bf16 || t == Type::bf16x2;
  if (!brain && t != Type::f16 && t != Type::f16x2)
    return false;
  op.pipe = Pipe::half;
  op.run = brain ? Half<Bf16, F>::run : Half<F16, F>::run;
  op.flag = u8((i.has("ftz") ? ftz : 0) | (i.has("sat") ? sat : 0) | (i.has("relu") ? relu : 0) |
               (info(t).bits == 32 ? pair : 0));
  if (!operands(d, i, op, t, t))
    return false;
  if (i.operands.size() < 3)
    op.b = op.a;
  if (i.operands.size() < 4)
    op.c = op.a;
  return true;
}
} // namespace

bool decodeHalf(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  bool brain = t == Type::bf16 || t == Type::bf16x2;
  (void)brain;
  if (i.has("rz") || i.has("rm") || i.has("rp"))
    return d.refuse("halves are rounded to nearest only");
  if (i.has("oob"))
    return d.refuse(".oob is not implemented");
  if (i.opcode == "add")
    return decode<Add>(d, i, op);
  if (i.opcode == "sub")
    return decode<Sub>(d, i, op);
  if (i.opcode == "mul")
    return decode<Mul>(d, i, op);
  if (i.opcode == "fma")
    return decode<Fma>(d, i, op);
  if (i.opcode == "ex2")
    return decode<Ex2>(d, i, op);
  if (i.opcode == "tanh")
    return decode<Tanh>(d, i, op);
  if (i.opcode == "abs" || i.opcode == "neg") {
    if (!decode<Abs>(d, i, op))
      return false;
    op.run = i.opcode == "neg" ? runSign<true> : runSign<false>;
    return true;
  }
  if (i.operands.size() != 3)
    return d.refuse("of three values needs sm_100");
  bool sign = i.has("xorsign"), nan = i.has("NaN");
  if (i.opcode == "min")
    return sign  ? (nan ? decode<Signed<MinNan>>(d, i, op) : decode<Signed<Min>>(d, i, op))
           : nan ? decode<MinNan>(d, i, op)
                 : decode<Min>(d, i, op);
  if (i.opcode == "max")
    return sign  ? (nan ? decode<Signed<MaxNan>>(d, i, op) : decode<Signed<Max>>(d, i, op))
           : nan ? decode<MaxNan>(d, i, op)
                 : decode<Max>(d, i, op);
  return false;
}

void addHalfOps(OpTable &) {} // reached through the opcodes that ops_integer and ops_float own

} // namespace tessera::vgpu
