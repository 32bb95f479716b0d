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
  static float f(float a, float b, float c) { return toOdd(double(a) * double(b) + double(c)); }
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
  map1<u32, u32>(w, op, [signs](u32 a) { return negate ? a ^ signs : a & ~signs; });
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
  if (brain && d.arch < 80)
    return d.refuse("bf16 arithmetic needs sm_80");
  if (brain && d.arch < 90 && (i.opcode == "add" || i.opcode == "sub" || i.opcode == "mul"))
    return d.refuse("." + std::string(info(t).name) + " needs sm_90");
  if (i.has("rz") || i.has("rm") || i.has("rp") || i.has("oob") || i.has("xorsign"))
    return false;
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
    return false;
  if (d.arch < 80)
    return d.refuse("min and max of halves need sm_80");
  if (i.opcode == "min")
    return i.has("NaN") ? decode<MinNan>(d, i, op) : decode<Min>(d, i, op);
  if (i.opcode == "max")
    return i.has("NaN") ? decode<MaxNan>(d, i, op) : decode<Max>(d, i, op);
  return false;
}

void addHalfOps(OpTable &) {} // reached through the opcodes that ops_integer and ops_float own

} // namespace tessera::vgpu
