// cvt in all its pairs (ISA 9.7.9.21): through a 64-bit integer or a double, rounded once; hot pairs have their own
// loop.
#include "runtime/vgpu/exec/numeric.h"
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

enum Flag : u8 { ftz = 1, sat = 2, relu = 4, integral = 8, finite = 16 };

bool isFloat(Type t) { return info(t).kind == 'f'; }

// Integer to integer without .sat: extend or chop.
template <class S, class D> void runExtend(Warp &w, const Op &op) {
  map1<D, S>(w, op, [](S a) { return D(std::conditional_t<std::is_signed_v<S>, s64, u64>(a)); });
}
template <class D> Run extendTo(Type from) {
  switch (from) {
  case Type::u8:
  case Type::b8:
    return runExtend<u8, D>;
  case Type::u16:
  case Type::b16:
    return runExtend<u16, D>;
  case Type::u32:
  case Type::b32:
    return runExtend<u32, D>;
  case Type::u64:
  case Type::b64:
    return runExtend<u64, D>;
  case Type::s8:
    return runExtend<s8, D>;
  case Type::s16:
    return runExtend<s16, D>;
  case Type::s32:
    return runExtend<s32, D>;
  case Type::s64:
    return runExtend<s64, D>;
  default:
    return nullptr;
  }
}

double roundTo(double v, Round mode) {
  switch (mode) {
  case Round::zero:
    return std::trunc(v);
  case Round::down:
    return std::floor(v);
  case Round::up:
    return std::ceil(v);
  default:
    return std::nearbyint(v);
  }
}

float singleOf(double v, Round mode) {
  auto f = float(v);
  if (mode == Round::nearest || v != v || double(f) == v)
    return f;
  if (std::isinf(f) && !std::isinf(v)) // rounded up past the largest number
    return mode == Round::zero || (mode == Round::down && v > 0) || (mode == Round::up && v < 0)
               ? std::copysign(0x1.fffffep127f, f)
               : f;
  bool above = double(f) > v;
  if (mode == Round::zero ? (above == (v > 0)) : mode == Round::down ? above : false)
    return std::nextafter(f, mode == Round::zero ? 0.0f : -INFINITY);
  if (mode == Round::up && !above)
    return std::nextafter(f, INFINITY);
  return f;
}

double doubleOf(u64 bits, Type t, u8 flags) {
  switch (t) {
  case Type::f16:
    return fromF16(u16(bits));
  case Type::bf16:
    return fromBf16(u16(bits));
  case Type::f32: {
    auto f = std::bit_cast<float>(u32(bits));
    return flags & ftz ? flush(f) : f;
  }
  default:
    return std::bit_cast<double>(bits);
  }
}

u64 bitsOf(double v, Type t, u8 flags, Round mode) {
  if (flags & sat)
    v = v > 0 ? (v < 1 ? v : 1) : 0;
  if (flags & relu)
    v = v > 0 || v != v ? v : 0;
  switch (t) {
  case Type::f16: {
    if ((flags & finite) && std::fabs(v) > 65504)
      return v > 0 ? 0x7bff : 0xfbff;
    float f = toOdd(v);
    return mode == Round::nearest ? toF16(f) : toF16(f, mode);
  }
  case Type::bf16: {
    u32 r = roundMantissa(toOdd(v), 7, mode);
    if ((flags & finite) && (r & 0x7fffffff) == 0x7f800000)
      r = (r & 0x80000000) | 0x7f7f0000;
    return v != v ? nanF16 : r >> 16;
  }
  case Type::tf32: {
    u32 r = roundMantissa(float(v), 10, mode);
    if ((flags & finite) && (r & 0x7fffffff) == 0x7f800000)
      r = (r & 0x80000000) | 0x7f7fe000;
    return v != v ? nanF32 : r;
  }
  case Type::f32: {
    float f = singleOf(v, mode);
    return std::bit_cast<u32>(canonical(flags & ftz ? flush(f) : f));
  }
  default:
    return std::bit_cast<u64>(v);
  }
}

// Clamped to the destination, as float-to-integer conversions and .sat want.
u64 clampInteger(double v, Type t, bool fromDouble) {
  u32 bits = info(t).bits;
  if (v != v) // two answers, by the types
    return fromDouble || bits == 64 ? 1ull << (bits - 1) : 0;
  if (info(t).kind == 's') {
    double low = -std::ldexp(1.0, int(bits) - 1), high = -low;
    s64 r = v <= low    ? s64(1ull << (bits - 1)) * (bits == 64 ? 1 : -1)
            : v >= high ? s64((1ull << (bits - 1)) - 1)
                        : s64(v);
    return bits == 64 ? u64(r) : u64(r) & ((1ull << bits) - 1);
  }
  if (v <= 0)
    return 0;
  double high = std::ldexp(1.0, int(bits));
  return v >= high ? (bits == 64 ? ~0ull : (1ull << bits) - 1) : u64(v);
}

u64 clampInteger(u64 v, bool fromSigned, Type t) {
  u32 bits = info(t).bits;
  if (info(t).kind == 's') {
    s64 high = bits == 64 ? INT64_MAX : s64((1ull << (bits - 1)) - 1), low = -high - 1;
    s64 x = !fromSigned && v > u64(INT64_MAX) ? INT64_MAX : s64(v);
    x = x > high ? high : x < low ? low : x;
    return bits == 64 ? u64(x) : u64(x) & ((1ull << bits) - 1);
  }
  if (fromSigned && s64(v) < 0)
    return 0;
  u64 high = bits == 64 ? ~0ull : (1ull << bits) - 1;
  return v > high ? high : v;
}

s64 extendSource(u64 bits, Type t) {
  u32 n = info(t).bits;
  bits &= n == 64 ? ~0ull : (1ull << n) - 1;
  return info(t).kind == 's' && n < 64 ? s64(bits << (64 - n)) >> (64 - n) : s64(bits);
}

double integerAsDouble(s64 v, bool isSigned, bool odd) {
  long double exact = isSigned ? (long double)v : (long double)u64(v);
  auto d = double(exact);
  if (odd && (long double)d != exact) { // round to odd, so that the next rounding is the only one
    auto bits = std::bit_cast<u64>(d);
    if (((long double)d > exact) == (exact > 0))
      --bits;
    d = std::bit_cast<double>(bits | 1);
  }
  return d;
}

void runGeneral(Warp &w, const Op &op) {
  auto to = Type(op.x), from = Type(op.y);
  auto mode = Round(op.flag2);
  bool wideIn = info(from).bits == 64, wideOut = info(to).bits == 64;
  alignas(64) u64 t[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1)) {
      t[l] = 0;
      continue;
    }
    u64 bits = wideIn ? w.in<u64>(op.a)[l] : w.in<u32>(op.a)[l];
    if (isFloat(from)) {
      double v = doubleOf(bits, from, op.flag);
      if (op.flag & integral)
        v = roundTo(v, mode);
      t[l] = isFloat(to) ? bitsOf(v, to, op.flag, op.flag & integral ? Round::nearest : mode)
                         : clampInteger(v, to, wideIn);
    } else {
      s64 v = extendSource(bits, from);
      bool isSigned = info(from).kind == 's';
      if (!isFloat(to))
        t[l] = clampInteger(u64(v), isSigned, to);
      else if (to == Type::f64 && mode != Round::nearest) {
        long double exact = isSigned ? (long double)v : (long double)u64(v);
        auto d = double(exact);
        bool above = (long double)d > exact, below = (long double)d < exact;
        if ((mode == Round::zero && (exact > 0 ? above : below)) || (mode == Round::down && above))
          d = std::nextafter(d, mode == Round::zero ? 0.0 : -INFINITY);
        if (mode == Round::up && below)
          d = std::nextafter(d, INFINITY);
        t[l] = std::bit_cast<u64>(d);
      } else
        t[l] = bitsOf(integerAsDouble(v, isSigned, to != Type::f64), to, op.flag, mode);
    }
  }
  if (wideOut) {
    w.put(op.d, t);
    return;
  }
  alignas(64) u32 n[lanes];
  for (u32 l = 0; l < lanes; ++l)
    n[l] = u32(t[l]);
  w.put(op.d, n);
}

// Two f32 into a pair: a is the upper half.
void runPair(Warp &w, const Op &op) {
  auto to = Type(op.x);
  auto mode = Round(op.flag2);
  const auto *a = w.in<float>(op.a), *b = w.in<float>(op.b);
  alignas(64) u32 n[lanes];
  if (to == Type::e4m3x2 || to == Type::e5m2x2) {
    bool wide = to == Type::e5m2x2;
    for (u32 l = 0; l < lanes; ++l) {
      float x = a[l], y = b[l];
      if (op.flag & relu)
        x = x > 0 || x != x ? x : 0, y = y > 0 || y != y ? y : 0;
      n[l] = u32(toFp8(x, wide)) << 8 | toFp8(y, wide);
    }
  } else if (mode == Round::nearest && !(op.flag & (relu | finite))) {
    if (to == Type::f16x2)
      for (u32 l = 0; l < lanes; ++l)
        n[l] = u32(toF16(a[l])) << 16 | toF16(b[l]);
    else
      for (u32 l = 0; l < lanes; ++l)
        n[l] = u32(toBf16(a[l])) << 16 | toBf16(b[l]);
  } else {
    Type half = to == Type::f16x2 ? Type::f16 : Type::bf16;
    for (u32 l = 0; l < lanes; ++l)
      n[l] = u32(bitsOf(a[l], half, op.flag, mode)) << 16 | u32(bitsOf(b[l], half, op.flag, mode));
  }
  w.put(op.d, n);
}

void runFromFp8(Warp &w, const Op &op) {
  bool wide = Type(op.y) == Type::e5m2x2;
  u8 flags = op.flag;
  map1<u32, u32>(w, op, [=](u32 a) {
    float x = fromFp8(u8(a), wide), y = fromFp8(u8(a >> 8), wide);
    if (flags & relu)
      x = x > 0 || x != x ? x : 0, y = y > 0 || y != y ? y : 0;
    return u32(toF16(y)) << 16 | toF16(x);
  });
}
void runHalvesToFp8(Warp &w, const Op &op) {
  bool wide = Type(op.x) == Type::e5m2x2;
  u8 flags = op.flag;
  map1<u32, u32>(w, op, [=](u32 a) {
    float x = fromF16(u16(a)), y = fromF16(u16(a >> 16));
    if (flags & relu)
      x = x > 0 || x != x ? x : 0, y = y > 0 || y != y ? y : 0;
    return u32(toFp8(y, wide)) << 8 | toFp8(x, wide);
  });
}

void runHalfToSingle(Warp &w, const Op &op) {
  map1<float, u16>(w, op, [](u16 a) { return fromF16(a); });
}
void runSingleToHalf(Warp &w, const Op &op) {
  map1<u16, float>(w, op, [](float a) { return toF16(a); });
}
void runBrainToSingle(Warp &w, const Op &op) {
  map1<float, u16>(w, op, [](u16 a) { return fromBf16(a); });
}
void runSingleToBrain(Warp &w, const Op &op) {
  map1<u16, float>(w, op, [](float a) { return toBf16(a); });
}
void runSignedToSingle(Warp &w, const Op &op) {
  map1<float, s32>(w, op, [](s32 a) { return float(a); });
}
void runUnsignedToSingle(Warp &w, const Op &op) {
  map1<float, u32>(w, op, [](u32 a) { return float(a); });
}

void runSingleToTf32(Warp &w, const Op &op) {
  map1<u32, float>(w, op, [](float a) { return a != a ? nanF32 : roundMantissa(a, 10, Round::nearestAway); });
}

Run hot(Type to, Type from, Round mode) {
  if (to == Type::tf32 && from == Type::f32 && mode == Round::nearestAway)
    return runSingleToTf32;
  if (mode != Round::nearest)
    return nullptr;
  if (to == Type::f32 && from == Type::f16)
    return runHalfToSingle;
  if (to == Type::f16 && from == Type::f32)
    return runSingleToHalf;
  if (to == Type::f32 && from == Type::bf16)
    return runBrainToSingle;
  if (to == Type::bf16 && from == Type::f32)
    return runSingleToBrain;
  if (to == Type::f32 && from == Type::s32)
    return runSignedToSingle;
  if (to == Type::f32 && from == Type::u32)
    return runUnsignedToSingle;
  return nullptr;
}

bool convert(Decoder &d, const Instruction &i, Op &op) {
  if (i.types.size() != 2)
    return false;
  Type to = i.types[0], from = i.types[1];
  op.pipe = Pipe::convert;
  op.flag = u8((i.has("ftz") ? ftz : 0) | (i.has("sat") ? sat : 0) | (i.has("relu") ? relu : 0) |
               (i.has("satfinite") ? finite : 0));
  Round mode = Round::nearest;
  if (i.has("rz") || i.has("rzi"))
    mode = Round::zero;
  if (i.has("rm") || i.has("rmi"))
    mode = Round::down;
  if (i.has("rp") || i.has("rpi"))
    mode = Round::up;
  if (i.has("rna"))
    mode = Round::nearestAway;
  if (i.has("rs"))
    return false;
  if (i.has("rni") || i.has("rzi") || i.has("rmi") || i.has("rpi"))
    op.flag |= integral;
  else if (isFloat(from) && !isFloat(to))
    return d.refuse("a conversion to an integer needs a rounding");
  op.flag2 = u8(mode);
  op.x = u32(to);
  op.y = u32(from);
  if (to == Type::f16x2 && (from == Type::e4m3x2 || from == Type::e5m2x2)) {
    op.run = runFromFp8;
    op.a = d.in(i.operands[1], Type::b16);
  } else if ((to == Type::e4m3x2 || to == Type::e5m2x2) && from == Type::f16x2) {
    op.run = runHalvesToFp8;
    op.a = d.in(i.operands[1], Type::b32);
  } else if (to == Type::f16x2 || to == Type::bf16x2 || to == Type::e4m3x2 || to == Type::e5m2x2) {
    if (from != Type::f32 || i.operands.size() != 3)
      return false;
    op.run = runPair;
    op.a = d.in(i.operands[1], from);
    op.b = d.in(i.operands[2], from);
  } else {
    if (i.operands.size() != 2 || info(to).bits > 64 || info(from).bits > 64 || from == Type::tf32)
      return false;
    op.a = d.in(i.operands[1], from);
    if (!isFloat(to) && !isFloat(from) && !(op.flag & sat)) {
      op.run = info(to).bits == 64   ? extendTo<u64>(from)
               : info(to).bits == 32 ? extendTo<u32>(from)
               : info(to).bits == 16 ? extendTo<u16>(from)
                                     : extendTo<u8>(from);
    } else {
      op.run = op.flag == 0 ? hot(to, from, mode) : nullptr;
      if (!op.run)
        op.run = runGeneral;
    }
  }
  op.d = d.out(i.operands[0], to);
  return d.ok() && op.run;
}

// cvt.pack: two s32 saturated into fields of 16 to 2 bits, c above those that are narrower.
void runCvtPack(Warp &w, const Op &op) {
  auto to = Type(op.x);
  u32 bits = info(to).bits;
  map3<u32, u32, u32, u32>(w, op, [=](u32 a, u32 b, u32 c) {
    u64 x = clampInteger(u64(s64(s32(a))), true, to), y = clampInteger(u64(s64(s32(b))), true, to);
    u32 both = u32(x << bits | y);
    return bits == 16 ? both : c << 2 * bits | both;
  });
}
} // namespace

void addConvertOps(OpTable &table) {
  table["cvt"] = convert;
  table["cvt.pack"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runCvtPack;
    op.x = u32(i.type(0));
    if (info(i.type(0)).bits > 16 || i.operands.size() != (info(i.type(0)).bits == 16 ? 3u : 4u))
      return d.refuse("this type and this number of operands do not go together");
    op.a = d.in(i.operands[1], Type::s32);
    op.b = d.in(i.operands[2], Type::s32);
    op.c = i.operands.size() > 3 ? d.in(i.operands[3], Type::b32) : d.constant(0, false);
    op.d = d.out(i.operands[0], Type::b32);
    return d.ok();
  };
}

} // namespace tessera::vgpu
