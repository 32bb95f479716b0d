// Logic, shifts, bit fields, byte permutes and dot products (ISA 9.7.1.14 to 9.7.1.24, 9.7.8, 9.7.9.7).
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

struct And {
  template <class T> static T f(T a, T b) { return a & b; }
};
struct Or {
  template <class T> static T f(T a, T b) { return a | b; }
};
struct Xor {
  template <class T> static T f(T a, T b) { return a ^ b; }
};
struct Not {
  template <class T> static T f(T a) { return T(~a); }
};
struct LogicalNot {
  template <class T> static T f(T a) { return T(a == 0); }
};
struct Reverse {
  template <class T> static T f(T a) {
    if constexpr (sizeof(T) == 8)
      return __builtin_bitreverse64(a);
    else
      return T(__builtin_bitreverse32(a));
  }
};

// Shift amounts above the width clamp to it (9.7.8.8).
template <class T> void runShl(Warp &w, const Op &op) {
  map2<T, T, u32>(w, op, [](T a, u32 n) { return n >= 8 * sizeof(T) ? T(0) : T(a << n); });
}
template <class T> void runShr(Warp &w, const Op &op) {
  map2<T, T, u32>(w, op, [](T a, u32 n) {
    u32 top = 8 * sizeof(T) - 1;
    if constexpr (std::is_signed_v<T>)
      return T(a >> (n > top ? top : n));
    else
      return n > top ? T(0) : T(a >> n);
  });
}
template <bool left, bool wrap> void runFunnel(Warp &w, const Op &op) {
  map3<u32, u32, u32, u32>(w, op, [](u32 low, u32 high, u32 n) {
    n = wrap ? n & 31 : n > 32 ? 32 : n;
    u64 both = u64(high) << 32 | low;
    return left ? u32(both << n >> 32) : u32(both >> n);
  });
}

template <class T> void runPopc(Warp &w, const Op &op) {
  map1<u32, T>(w, op, [](T a) { return u32(std::popcount(a)); });
}
template <class T> void runClz(Warp &w, const Op &op) {
  map1<u32, T>(w, op, [](T a) { return u32(std::countl_zero(a)); });
}
// The most significant set bit; for signed values the most significant that differs from the sign; -1 if none.
template <class T> void runFind(Warp &w, const Op &op) {
  bool shift = op.flag;
  map1<u32, T>(w, op, [shift](T a) {
    using U = std::make_unsigned_t<T>;
    U v = std::is_signed_v<T> && a < 0 ? U(~U(a)) : U(a);
    if (v == 0)
      return ~0u;
    u32 zeros = u32(std::countl_zero(v));
    return shift ? zeros : u32(8 * sizeof(T) - 1) - zeros;
  });
}

// An arithmetic shift supplies the copies of the sign that bits beyond the top stand for.
template <class T> T extract(T a, u32 position, u32 length) {
  constexpr u32 top = 8 * sizeof(T) - 1;
  position &= 255;
  length &= 255;
  if (length == 0)
    return 0;
  T bits = position > top ? T(a < 0 ? -1 : 0) : T(a >> position);
  if (length > top)
    return bits;
  u32 unused = top + 1 - length;
  return T(T(std::make_unsigned_t<T>(bits) << unused) >> unused);
}
template <class T> void runExtract(Warp &w, const Op &op) {
  map3<T, T, u32, u32>(w, op, [](T a, u32 p, u32 n) { return extract<T>(a, p, n); });
}
template <class T> void runInsert(Warp &w, const Op &op) {
  const auto *a = w.in<Cell<T>>(op.a), *b = w.in<Cell<T>>(op.b);
  const auto *c = w.in<u32>(op.c), *e = w.in<u32>(op.more[0]);
  alignas(64) Cell<T> t[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    u32 position = c[l] & 255, length = e[l] & 255;
    T field = length >= 8 * sizeof(T) ? T(~T(0)) : T((T(1) << length) - 1);
    field = position >= 8 * sizeof(T) ? T(0) : T(field << position);
    T moved = position >= 8 * sizeof(T) ? T(0) : T(T(a[l]) << position);
    t[l] = (T(b[l]) & T(~field)) | (moved & field);
  }
  w.put(op.d, t);
}

u32 permute(u32 a, u32 b, u32 selector) {
  u64 both = u64(b) << 32 | a;
  u32 r = 0;
  for (u32 k = 0; k < 4; ++k) {
    u32 s = selector >> (4 * k) & 15;
    u32 byte = u32(both >> (8 * (s & 7))) & 255;
    if (s & 8)
      byte = byte & 128 ? 255 : 0;
    r |= byte << (8 * k);
  }
  return r;
}
// The special modes of prmt (9.7.9.7), as selectors of the general one.
u32 selectorOf(u32 mode, u32 c) {
  constexpr u32 tables[6][4] = {{0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123},
                                {0x0000, 0x1111, 0x2222, 0x3333}, {0x3210, 0x3211, 0x3222, 0x3333},
                                {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232}};
  return tables[mode][c & 3];
}
void runPermute(Warp &w, const Op &op) {
  u32 mode = op.flag;
  map3<u32, u32, u32, u32>(w, op,
                           [mode](u32 a, u32 b, u32 c) { return permute(a, b, mode ? selectorOf(mode - 1, c) : c); });
}

void runLop3(Warp &w, const Op &op) {
  u32 table = u32(op.imm);
  map3<u32, u32, u32, u32>(w, op, [table](u32 a, u32 b, u32 c) {
    u32 r = 0;
    r |= table & 0x01 ? ~a & ~b & ~c : 0;
    r |= table & 0x02 ? ~a & ~b & c : 0;
    r |= table & 0x04 ? ~a & b & ~c : 0;
    r |= table & 0x08 ? ~a & b & c : 0;
    r |= table & 0x10 ? a & ~b & ~c : 0;
    r |= table & 0x20 ? a & ~b & c : 0;
    r |= table & 0x40 ? a & b & ~c : 0;
    r |= table & 0x80 ? a & b & c : 0;
    return r;
  });
}

void runLop3Test(Warp &w, const Op &op) {
  u32 with = w.predicates[op.more[0]] ^ (op.flag & 2 ? allLanes : 0), bits = 0;
  runLop3(w, op);
  const auto *d = w.in<u32>(op.d);
  for (u32 l = 0; l < lanes; ++l)
    bits |= u32(d[l] != 0) << l;
  w.putPredicate(op.more[1], op.flag & 1 ? bits | with : bits & with);
}

// fns: the n-th set bit of the mask from a base upwards or downwards.
void runFindSet(Warp &w, const Op &op) {
  map3<u32, u32, u32, s32>(w, op, [](u32 mask, u32 base, s32 offset) {
    if (base > 31)
      return ~0u;
    if (offset == 0)
      return mask >> base & 1 ? base : ~0u;
    s64 left = std::abs(s64(offset));
    for (s32 at = s32(base); at >= 0 && at < 32; at += offset > 0 ? 1 : -1)
      if ((mask >> at & 1) && --left == 0)
        return u32(at);
    return ~0u;
  });
}

template <bool signedA, bool signedB> void runDp4a(Warp &w, const Op &op) {
  map3<u32, u32, u32, u32>(w, op, [](u32 a, u32 b, u32 c) {
    for (u32 k = 0; k < 32; k += 8) {
      s32 x = signedA ? s32(s8(a >> k)) : s32(u8(a >> k)), y = signedB ? s32(s8(b >> k)) : s32(u8(b >> k));
      c += u32(x * y);
    }
    return c;
  });
}
template <bool signedA, bool signedB> void runDp2a(Warp &w, const Op &op) {
  bool hi = op.flag;
  map3<u32, u32, u32, u32>(w, op, [hi](u32 a, u32 b, u32 c) {
    for (u32 k = 0; k < 2; ++k) {
      u32 byte = b >> (8 * (k + (hi ? 2 : 0)));
      s32 x = signedA ? s32(s16(a >> 16 * k)) : s32(u16(a >> 16 * k)), y = signedB ? s32(s8(byte)) : s32(u8(byte));
      c += u32(x * y);
    }
    return c;
  });
}

template <int kind> void runPredicateLogic(Warp &w, const Op &op) {
  u32 a = w.predicates[op.a] ^ (op.flag & 1 ? allLanes : 0), b = w.predicates[op.b] ^ (op.flag & 2 ? allLanes : 0);
  w.putPredicate(op.d, kind == 0 ? a & b : kind == 1 ? a | b : kind == 2 ? a ^ b : ~a);
}

template <class F, int kind> bool logic(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  if (t == Type::pred) {
    bool na = false, nb = false;
    op.run = runPredicateLogic<kind>;
    op.a = d.predicateIn(i.operands[1], na);
    if (kind != 3)
      op.b = d.predicateIn(i.operands[2], nb);
    op.flag = u8(na | nb << 1);
    op.d = d.predicateOut(i.operands[0]);
    return d.ok();
  }
  if constexpr (kind == 3)
    op.run = forBits<Unary, F>(t);
  else
    op.run = forBits<Binary, F>(t);
  return operands(d, i, op, t, t);
}

template <class F> bool shift(Decoder &d, const Instruction &i, Op &op) {
  op.run = F::pick(i.type());
  op.a = d.in(i.operands[1], i.type());
  op.b = d.in(i.operands[2], Type::u32);
  op.d = d.out(i.operands[0], i.type());
  return d.ok() && op.run;
}
struct Left {
  static Run pick(Type t) { return info(t).bits == 16 ? runShl<u16> : info(t).bits == 32 ? runShl<u32> : runShl<u64>; }
};
struct Right {
  static Run pick(Type t) {
    switch (t) {
    case Type::s16:
      return runShr<s16>;
    case Type::s32:
      return runShr<s32>;
    case Type::s64:
      return runShr<s64>;
    default:
      return info(t).bits == 16 ? runShr<u16> : info(t).bits == 32 ? runShr<u32> : runShr<u64>;
    }
  }
};

bool count(Decoder &d, const Instruction &i, Op &op, Run narrow, Run wide) {
  op.run = info(i.type()).bits == 64 ? wide : narrow;
  return operands(d, i, op, Type::u32, i.type());
}
} // namespace

void addBitOps(OpTable &table) {
  table["and"] = logic<And, 0>;
  table["or"] = logic<Or, 1>;
  table["xor"] = logic<Xor, 2>;
  table["not"] = logic<Not, 3>;
  table["cnot"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = forBits<Unary, LogicalNot>(i.type());
    return operands(d, i, op, i.type(), i.type());
  };
  table["shl"] = shift<Left>;
  table["shr"] = shift<Right>;
  table["shf"] = [](Decoder &d, const Instruction &i, Op &op) {
    bool left = i.has("l"), wrap = i.has("wrap");
    op.run = left ? (wrap ? runFunnel<true, true> : runFunnel<true, false>)
                  : (wrap ? runFunnel<false, true> : runFunnel<false, false>);
    return operands(d, i, op, Type::b32, Type::b32);
  };
  table["popc"] = [](Decoder &d, const Instruction &i, Op &op) { return count(d, i, op, runPopc<u32>, runPopc<u64>); };
  table["clz"] = [](Decoder &d, const Instruction &i, Op &op) { return count(d, i, op, runClz<u32>, runClz<u64>); };
  table["bfind"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.flag = i.has("shiftamt");
    bool sign = info(i.type()).kind == 's';
    return count(d, i, op, sign ? runFind<s32> : runFind<u32>, sign ? runFind<s64> : runFind<u64>);
  };
  table["brev"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = info(i.type()).bits == 64 ? Unary<u64, Reverse>::run : Unary<u32, Reverse>::run;
    return operands(d, i, op, i.type(), i.type());
  };
  table["bfe"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type t = i.type();
    op.run = t == Type::u32   ? runExtract<u32>
             : t == Type::s32 ? runExtract<s32>
             : t == Type::u64 ? runExtract<u64>
             : t == Type::s64 ? runExtract<s64>
                              : nullptr;
    op.a = d.in(i.operands[1], t);
    op.b = d.in(i.operands[2], Type::u32);
    op.c = d.in(i.operands[3], Type::u32);
    op.d = d.out(i.operands[0], t);
    return d.ok() && op.run;
  };
  table["bfi"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type t = i.type();
    op.run = info(t).bits == 64 ? runInsert<u64> : runInsert<u32>;
    op.a = d.in(i.operands[1], t);
    op.b = d.in(i.operands[2], t);
    op.c = d.in(i.operands[3], Type::u32);
    op.more.push_back(d.in(i.operands[4], Type::u32));
    op.d = d.out(i.operands[0], t);
    return d.ok();
  };
  table["fns"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runFindSet;
    return operands(d, i, op, Type::b32, Type::b32);
  };
  table["bmsk"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = i.has("wrap") ? Run([](Warp &w, const Op &o) {
      map2<u32, u32, u32>(w, o, [](u32 a, u32 b) {
        a &= 31;
        b &= 31;
        return u32(((1ull << b) - 1) << a);
      });
    })
                           : Run([](Warp &w, const Op &o) {
                               map2<u32, u32, u32>(w, o, [](u32 a, u32 b) {
                                 a = std::min(a, 32u);
                                 b = std::min(b, 32u);
                                 return u32(((1ull << b) - 1) << a);
                               });
                             });
    return operands(d, i, op, Type::b32, Type::b32);
  };
  table["szext"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.flag = u8(i.has("wrap"));
    op.flag2 = i.type() == Type::s32;
    op.run = [](Warp &w, const Op &o) {
      bool wrap = o.flag, sign = o.flag2;
      map2<u32, u32, u32>(w, o, [=](u32 a, u32 n) {
        n = wrap ? n & 31 : std::min(n, 32u);
        if (n == 0)
          return 0u;
        return sign ? u32(s32(a << (32 - n)) >> (32 - n)) : a << (32 - n) >> (32 - n);
      });
    };
    return operands(d, i, op, i.type(), i.type());
  };
  table["prmt"] = [](Decoder &d, const Instruction &i, Op &op) {
    constexpr std::string_view modes[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
    for (u32 m = 0; m < 6; ++m)
      if (i.has(modes[m]))
        op.flag = u8(m + 1);
    op.run = runPermute;
    return operands(d, i, op, Type::b32, Type::b32);
  };
  table["lop3"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runLop3;
    if (i.operands.size() == 6) { // d|p: whether anything is set, combined with a predicate
      const ptx::Operand &to = i.operands[0];
      bool negated = false;
      if (to.kind != ptx::Operand::Kind::pair)
        return d.refuse("needs a pair of destinations");
      op.run = runLop3Test;
      op.more.push_back(d.predicateIn(i.operands[5], negated));
      op.flag = u8(i.has("or") | negated << 1);
      op.more.push_back(d.predicateOut(to.elements[1]));
      op.a = d.in(i.operands[1], Type::b32);
      op.b = d.in(i.operands[2], Type::b32);
      op.c = d.in(i.operands[3], Type::b32);
      op.d = d.out(to.elements[0], Type::b32);
      return d.immediate(i.operands[4], op.imm);
    }
    op.a = d.in(i.operands[1], Type::b32);
    op.b = d.in(i.operands[2], Type::b32);
    op.c = d.in(i.operands[3], Type::b32);
    op.d = d.out(i.operands[0], Type::b32);
    return d.immediate(i.operands[4], op.imm);
  };
  table["dp4a"] = [](Decoder &d, const Instruction &i, Op &op) {
    bool a = i.type(0) == Type::s32, b = i.type(1) == Type::s32;
    op.pipe = Pipe::fma;
    op.run = a ? (b ? runDp4a<true, true> : runDp4a<true, false>) : (b ? runDp4a<false, true> : runDp4a<false, false>);
    return operands(d, i, op, Type::b32, Type::b32);
  };
  table["dp2a"] = [](Decoder &d, const Instruction &i, Op &op) {
    bool a = i.type(0) == Type::s32, b = i.type(1) == Type::s32;
    op.pipe = Pipe::fma;
    op.flag = i.has("hi");
    op.run = a ? (b ? runDp2a<true, true> : runDp2a<true, false>) : (b ? runDp2a<false, true> : runDp2a<false, false>);
    return operands(d, i, op, Type::b32, Type::b32);
  };
}

} // namespace tessera::vgpu
