// Integer arithmetic (ISA 9.7.1, 9.7.2): wrap-around unless .sat; carries in the warp's condition code, one bit a lane.
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

template <class T> using Unsigned = std::make_unsigned_t<T>;
template <class T> struct DoubleWidth;
template <> struct DoubleWidth<u16> {
  using type = u32;
};
template <> struct DoubleWidth<s16> {
  using type = s32;
};
template <> struct DoubleWidth<u32> {
  using type = u64;
};
template <> struct DoubleWidth<s32> {
  using type = s64;
};
template <> struct DoubleWidth<u64> {
  using type = unsigned __int128;
};
template <> struct DoubleWidth<s64> {
  using type = __int128;
};
template <class T> using Wide = typename DoubleWidth<T>::type;

template <class T> T add(T a, T b) { return T(Unsigned<T>(a) + Unsigned<T>(b)); }
template <class T> T low(T a, T b) { return T(u64(a) * u64(b)); }
template <class T> T high(T a, T b) { return T((Wide<T>(a) * Wide<T>(b)) >> (8 * sizeof(T))); }

struct Add {
  template <class T> static T f(T a, T b) { return add(a, b); }
};
struct Sub {
  template <class T> static T f(T a, T b) { return T(Unsigned<T>(a) - Unsigned<T>(b)); }
};
struct AddSat {
  template <class T> static T f(T a, T b) {
    T r;
    return __builtin_add_overflow(a, b, &r) ? (a < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max())
                                            : r;
  }
};
struct SubSat {
  template <class T> static T f(T a, T b) {
    T r;
    return __builtin_sub_overflow(a, b, &r) ? (a < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max())
                                            : r;
  }
};
struct MulLow {
  template <class T> static T f(T a, T b) { return low(a, b); }
};
struct MulHigh {
  template <class T> static T f(T a, T b) { return high(a, b); }
};
// Division by zero is unspecified (9.7.1.8): all ones, as the hardware gives.
struct Div {
  template <class T> static T f(T a, T b) {
    if (b == 0)
      return T(-1);
    if constexpr (std::is_signed_v<T>)
      if (b == -1)
        return T(0 - Unsigned<T>(a));
    return T(a / b);
  }
};
struct Rem {
  template <class T> static T f(T a, T b) {
    if (b == 0)
      return a;
    if constexpr (std::is_signed_v<T>)
      if (b == -1)
        return 0;
    return T(a % b);
  }
};
struct Min {
  template <class T> static T f(T a, T b) { return a < b ? a : b; }
};
struct Max {
  template <class T> static T f(T a, T b) { return a > b ? a : b; }
};
struct MinRelu {
  template <class T> static T f(T a, T b) {
    T m = a < b ? a : b;
    return m > 0 ? m : T(0);
  }
};
struct MaxRelu {
  template <class T> static T f(T a, T b) {
    T m = a > b ? a : b;
    return m > 0 ? m : T(0);
  }
};
struct Abs {
  template <class T> static T f(T a) { return a < 0 ? T(0 - Unsigned<T>(a)) : a; }
};
struct Neg {
  template <class T> static T f(T a) { return T(0 - Unsigned<T>(a)); }
};
struct MadLow {
  template <class T> static T f(T a, T b, T c) { return add(low(a, b), c); }
};
struct MadHigh {
  template <class T> static T f(T a, T b, T c) { return add(high(a, b), c); }
};
struct MadHighSat {
  template <class T> static T f(T a, T b, T c) { return AddSat::f<T>(high(a, b), c); }
};
struct Sad {
  template <class T> static T f(T a, T b, T c) {
    return T(Unsigned<T>(c) + (a < b ? Unsigned<T>(b) - Unsigned<T>(a) : Unsigned<T>(a) - Unsigned<T>(b)));
  }
};

template <class T, class F> struct WideMul {
  static void run(Warp &w, const Op &op) {
    map2<Wide<T>, T, T>(w, op, [](T a, T b) { return Wide<T>(Wide<T>(a) * Wide<T>(b)); });
  }
};
template <class T, class F> struct WideMad {
  static void run(Warp &w, const Op &op) {
    using W = Wide<T>;
    map3<W, T, T, W>(w, op, [](T a, T b, W c) { return W(Unsigned<W>(W(a) * W(b)) + Unsigned<W>(c)); });
  }
};

Type doubled(Type t) {
  switch (t) {
  case Type::u16:
    return Type::u32;
  case Type::s16:
    return Type::s32;
  case Type::u32:
    return Type::u64;
  case Type::s32:
    return Type::s64;
  default:
    return Type::none;
  }
}

template <class F> Run packed16(Type t) {
  struct Halves {
    static u32 each(u32 a, u32 b, bool sign) {
      if (sign)
        return u32(u16(F::template f<s16>(s16(a), s16(b)))) | u32(u16(F::template f<s16>(s16(a >> 16), s16(b >> 16))))
                                                                  << 16;
      return u32(F::template f<u16>(u16(a), u16(b))) | u32(F::template f<u16>(u16(a >> 16), u16(b >> 16))) << 16;
    }
    static void s(Warp &w, const Op &op) {
      map2<u32, u32, u32>(w, op, [](u32 a, u32 b) { return each(a, b, true); });
    }
    static void u(Warp &w, const Op &op) {
      map2<u32, u32, u32>(w, op, [](u32 a, u32 b) { return each(a, b, false); });
    }
  };
  return t == Type::s16x2 ? Halves::s : t == Type::u16x2 ? Halves::u : nullptr;
}

// add.cc addc sub.cc subc mad.cc madc: op.flag bit 0 reads the carry, bit 1 writes it.
enum class Extended { add, sub, madLow, madHigh };
template <class T, Extended kind> void runExtended(Warp &w, const Op &op) {
  const auto *a = w.in<Cell<T>>(op.a), *b = w.in<Cell<T>>(op.b), *c = w.in<Cell<T>>(op.c);
  alignas(64) Cell<T> t[lanes];
  const u32 *carry = w.in<u32>(op.more[0]);
  alignas(64) u32 carryOut[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    T x = T(a[l]), y = T(b[l]), in = op.flag & 1 ? T(carry[l]) : T(0);
    if constexpr (kind == Extended::sub) {
      T r;
      bool borrow = __builtin_sub_overflow(x, y, &r);
      borrow |= __builtin_sub_overflow(r, in, &r);
      t[l] = r;
      carryOut[l] = borrow;
    } else {
      if constexpr (kind != Extended::add) {
        if (op.flag2) // signed
          x = T(kind == Extended::madLow ? low(std::make_signed_t<T>(x), std::make_signed_t<T>(y))
                                         : high(std::make_signed_t<T>(x), std::make_signed_t<T>(y)));
        else
          x = kind == Extended::madLow ? low(x, y) : high(x, y);
        y = T(c[l]);
      }
      T r;
      bool over = __builtin_add_overflow(x, y, &r);
      over |= __builtin_add_overflow(r, in, &r);
      t[l] = r;
      carryOut[l] = over;
    }
  }
  w.put(op.d, t);
  if (op.flag & 2)
    w.put(op.more[0], carryOut);
}

bool extended(Decoder &d, const Instruction &i, Op &op, Extended kind, bool reads) {
  Type t = i.type();
  bool wide = info(t).bits == 64;
  auto choose = [&](Run narrow, Run big) { op.run = wide ? big : narrow; };
  switch (kind) {
  case Extended::add:
    choose(runExtended<u32, Extended::add>, runExtended<u64, Extended::add>);
    break;
  case Extended::sub:
    choose(runExtended<u32, Extended::sub>, runExtended<u64, Extended::sub>);
    break;
  case Extended::madLow:
    choose(runExtended<u32, Extended::madLow>, runExtended<u64, Extended::madLow>);
    break;
  case Extended::madHigh:
    choose(runExtended<u32, Extended::madHigh>, runExtended<u64, Extended::madHigh>);
    break;
  }
  op.flag = u8((reads ? 1 : 0) | (i.has("cc") ? 2 : 0));
  op.flag2 = info(t).kind == 's';
  op.more.push_back(d.special(Special::zero)); // the condition code: a plane that nothing else writes
  return info(t).bits >= 32 && operands(d, i, op, t, t);
}

template <class F, class S> bool addOrSub(Decoder &d, const Instruction &i, Op &op, Extended kind) {
  Type t = i.type();
  if (i.has("cc"))
    return extended(d, i, op, kind, false);
  if (i.has("sat"))
    op.run = t == Type::s32 ? Binary<s32, S>::run : nullptr;
  else if (t == Type::s16x2 || t == Type::u16x2)
    op.run = packed16<F>(t);
  else
    op.run = forInteger<Binary, F>(t);
  return operands(d, i, op, t, t);
}

template <class F> bool same2(Decoder &d, const Instruction &i, Op &op) {
  op.run = forInteger<Binary, F>(i.type());
  return operands(d, i, op, i.type(), i.type());
}

template <class F, class R> bool minMax(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  if (t == Type::s16x2 || t == Type::u16x2)
    op.run = i.has("relu") ? packed16<R>(t) : packed16<F>(t);
  else
    op.run = i.has("relu") ? (t == Type::s32 ? Binary<s32, R>::run : nullptr) : forInteger<Binary, F>(t);
  return operands(d, i, op, t, t);
}

// mad24.hi: bits 47 to 16 of the product.
template <bool saturate> void runHigh24Signed(Warp &w, const Op &op) {
  map3<s32, s32, s32, s32>(w, op, [](s32 a, s32 b, s32 c) {
    auto product = s32((s64(a << 8 >> 8) * (b << 8 >> 8)) >> 16);
    return saturate ? AddSat::f<s32>(product, c) : add<s32>(product, c);
  });
}
void runHigh24(Warp &w, const Op &op) {
  map3<u32, u32, u32, u32>(w, op,
                           [](u32 a, u32 b, u32 c) { return u32((u64(a & 0xffffff) * (b & 0xffffff)) >> 16) + c; });
}
bool high24(Decoder &d, const Instruction &i, Op &op) {
  bool sign = i.type() == Type::s32;
  if (i.has("sat") && !sign)
    return d.refuse(".sat is of .s32 only");
  op.run = !sign ? runHigh24 : i.has("sat") ? runHigh24Signed<true> : runHigh24Signed<false>;
  return operands(d, i, op, i.type(), i.type());
}

bool isFloat(const Instruction &i) { return info(i.type()).kind == 'f'; }
} // namespace

bool decodeFloatArithmetic(Decoder &d, const Instruction &i, Op &op); // ops_float.cpp

void addIntegerOps(OpTable &table) {
  table["add"] = [](Decoder &d, const Instruction &i, Op &op) {
    return isFloat(i) ? decodeFloatArithmetic(d, i, op) : addOrSub<Add, AddSat>(d, i, op, Extended::add);
  };
  table["sub"] = [](Decoder &d, const Instruction &i, Op &op) {
    return isFloat(i) ? decodeFloatArithmetic(d, i, op) : addOrSub<Sub, SubSat>(d, i, op, Extended::sub);
  };
  table["addc"] = [](Decoder &d, const Instruction &i, Op &op) { return extended(d, i, op, Extended::add, true); };
  table["subc"] = [](Decoder &d, const Instruction &i, Op &op) { return extended(d, i, op, Extended::sub, true); };
  table["madc"] = [](Decoder &d, const Instruction &i, Op &op) {
    return extended(d, i, op, i.has("hi") ? Extended::madHigh : Extended::madLow, true);
  };
  table["mul"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type t = i.type();
    if (isFloat(i))
      return decodeFloatArithmetic(d, i, op);
    op.pipe = Pipe::fma;
    if (i.has("wide")) {
      op.run = t == Type::u16   ? WideMul<u16, void>::run
               : t == Type::s16 ? WideMul<s16, void>::run
               : t == Type::u32 ? WideMul<u32, void>::run
               : t == Type::s32 ? WideMul<s32, void>::run
                                : nullptr;
      return operands(d, i, op, doubled(t), t);
    }
    op.run = i.has("hi") ? forInteger<Binary, MulHigh>(t) : forInteger<Binary, MulLow>(t);
    return operands(d, i, op, t, t);
  };
  table["mad"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type t = i.type();
    if (isFloat(i))
      return decodeFloatArithmetic(d, i, op);
    op.pipe = Pipe::fma;
    if (i.has("cc"))
      return extended(d, i, op, i.has("hi") ? Extended::madHigh : Extended::madLow, false);
    if (i.has("wide")) {
      op.run = t == Type::u16   ? WideMad<u16, void>::run
               : t == Type::s16 ? WideMad<s16, void>::run
               : t == Type::u32 ? WideMad<u32, void>::run
               : t == Type::s32 ? WideMad<s32, void>::run
                                : nullptr;
      op.a = d.in(i.operands[1], t);
      op.b = d.in(i.operands[2], t);
      op.c = d.in(i.operands[3], doubled(t));
      op.d = d.out(i.operands[0], doubled(t));
      return d.ok() && op.run;
    }
    op.run = !i.has("hi")   ? forInteger<Ternary, MadLow>(t)
             : i.has("sat") ? (t == Type::s32 ? Ternary<s32, MadHighSat>::run : nullptr)
                            : forInteger<Ternary, MadHigh>(t);
    return operands(d, i, op, t, t);
  };
  // 24-bit products: the operands' upper 8 bits do not take part.
  table["mul24"] = [](Decoder &d, const Instruction &i, Op &op) {
    bool hi = i.has("hi");
    if (i.type() == Type::s32)
      op.run = hi ? Run([](Warp &w, const Op &o) {
        map2<s32, s32, s32>(w, o, [](s32 a, s32 b) { return s32((s64(a << 8 >> 8) * (b << 8 >> 8)) >> 16); });
      })
                  : Run([](Warp &w, const Op &o) {
                      map2<s32, s32, s32>(w, o, [](s32 a, s32 b) { return s32(s64(a << 8 >> 8) * (b << 8 >> 8)); });
                    });
    else
      op.run = hi ? Run([](Warp &w, const Op &o) {
        map2<u32, u32, u32>(w, o, [](u32 a, u32 b) { return u32((u64(a & 0xffffff) * (b & 0xffffff)) >> 16); });
      })
                  : Run([](Warp &w, const Op &o) {
                      map2<u32, u32, u32>(w, o, [](u32 a, u32 b) { return u32(u64(a & 0xffffff) * (b & 0xffffff)); });
                    });
    return operands(d, i, op, i.type(), i.type());
  };
  table["mad24"] = [](Decoder &d, const Instruction &i, Op &op) {
    if (i.has("hi"))
      return high24(d, i, op);
    if (i.type() == Type::s32)
      op.run = [](Warp &w, const Op &o) {
        map3<s32, s32, s32, s32>(
            w, o, [](s32 a, s32 b, s32 c) { return s32(u32(s64(a << 8 >> 8) * (b << 8 >> 8)) + u32(c)); });
      };
    else
      op.run = [](Warp &w, const Op &o) {
        map3<u32, u32, u32, u32>(w, o, [](u32 a, u32 b, u32 c) { return u32(u64(a & 0xffffff) * (b & 0xffffff)) + c; });
      };
    return operands(d, i, op, i.type(), i.type());
  };
  table["div"] = [](Decoder &d, const Instruction &i, Op &op) {
    if (isFloat(i))
      return decodeFloatArithmetic(d, i, op);
    op.pipe = Pipe::special;
    return same2<Div>(d, i, op);
  };
  table["rem"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.pipe = Pipe::special;
    return same2<Rem>(d, i, op);
  };
  table["min"] = [](Decoder &d, const Instruction &i, Op &op) {
    return isFloat(i) ? decodeFloatArithmetic(d, i, op) : minMax<Min, MinRelu>(d, i, op);
  };
  table["max"] = [](Decoder &d, const Instruction &i, Op &op) {
    return isFloat(i) ? decodeFloatArithmetic(d, i, op) : minMax<Max, MaxRelu>(d, i, op);
  };
  table["abs"] = [](Decoder &d, const Instruction &i, Op &op) {
    if (isFloat(i))
      return decodeFloatArithmetic(d, i, op);
    op.run = forInteger<Unary, Abs>(i.type());
    return operands(d, i, op, i.type(), i.type());
  };
  table["neg"] = [](Decoder &d, const Instruction &i, Op &op) {
    if (isFloat(i))
      return decodeFloatArithmetic(d, i, op);
    op.run = forInteger<Unary, Neg>(i.type());
    return operands(d, i, op, i.type(), i.type());
  };
  table["sad"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = forInteger<Ternary, Sad>(i.type());
    return operands(d, i, op, i.type(), i.type());
  };
}

} // namespace tessera::vgpu
