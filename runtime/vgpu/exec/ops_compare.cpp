// Comparison and selection (ISA 9.7.6, 9.7.7).
#include "runtime/vgpu/exec/numeric.h"
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

enum class Compare : u8 { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };

template <class T> u32 compare(const T *a, const T *b, Compare c) {
  u32 bits = 0;
  auto loop = [&](auto f) {
    for (u32 l = 0; l < lanes; ++l)
      bits |= u32(f(a[l], b[l])) << l;
  };
  switch (c) {
  case Compare::eq:
    loop([](T x, T y) { return x == y; });
    break;
  case Compare::ne:
    loop([](T x, T y) { return x != y && x == x && y == y; });
    break;
  case Compare::lt:
    loop([](T x, T y) { return x < y; });
    break;
  case Compare::le:
    loop([](T x, T y) { return x <= y; });
    break;
  case Compare::gt:
    loop([](T x, T y) { return x > y; });
    break;
  case Compare::ge:
    loop([](T x, T y) { return x >= y; });
    break;
  case Compare::equ:
    loop([](T x, T y) { return x == y || x != x || y != y; });
    break;
  case Compare::neu:
    loop([](T x, T y) { return x != y; });
    break;
  case Compare::ltu:
    loop([](T x, T y) { return !(x >= y); });
    break;
  case Compare::leu:
    loop([](T x, T y) { return !(x > y); });
    break;
  case Compare::gtu:
    loop([](T x, T y) { return !(x <= y); });
    break;
  case Compare::geu:
    loop([](T x, T y) { return !(x < y); });
    break;
  case Compare::num:
    loop([](T x, T y) { return x == x && y == y; });
    break;
  case Compare::nan:
    loop([](T x, T y) { return x != x || y != y; });
    break;
  }
  return bits;
}

using CompareFn = u32 (*)(Warp &, const Op &, u32 shift);

template <class T> u32 compareLanes(Warp &w, const Op &op, u32) {
  auto c = Compare(op.flag);
  if constexpr (sizeof(T) >= 4) {
    if constexpr (std::is_same_v<T, float>)
      if (op.bytes) { // .ftz
        alignas(64) float x[lanes], y[lanes];
        for (u32 l = 0; l < lanes; ++l)
          x[l] = flush(w.in<float>(op.a)[l]), y[l] = flush(w.in<float>(op.b)[l]);
        return compare(x, y, c);
      }
    return compare(w.in<T>(op.a), w.in<T>(op.b), c);
  } else {
    alignas(64) T x[lanes], y[lanes];
    for (u32 l = 0; l < lanes; ++l)
      x[l] = T(w.in<u32>(op.a)[l]), y[l] = T(w.in<u32>(op.b)[l]);
    return compare(x, y, c);
  }
}
template <bool brain> u32 compareHalves(Warp &w, const Op &op, u32 shift) {
  alignas(64) float x[lanes], y[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    u16 a = u16(w.in<u32>(op.a)[l] >> shift), b = u16(w.in<u32>(op.b)[l] >> shift);
    x[l] = brain ? fromBf16(a) : fromF16(a);
    y[l] = brain ? fromBf16(b) : fromF16(b);
  }
  return compare(x, y, Compare(op.flag));
}

CompareFn comparisonOf(Type t) {
  switch (t) {
  case Type::b16:
  case Type::u16:
    return compareLanes<u16>;
  case Type::s16:
    return compareLanes<s16>;
  case Type::b32:
  case Type::u32:
    return compareLanes<u32>;
  case Type::s32:
    return compareLanes<s32>;
  case Type::b64:
  case Type::u64:
    return compareLanes<u64>;
  case Type::s64:
    return compareLanes<s64>;
  case Type::f32:
    return compareLanes<float>;
  case Type::f64:
    return compareLanes<double>;
  case Type::f16:
  case Type::f16x2:
    return compareHalves<false>;
  case Type::bf16:
  case Type::bf16x2:
    return compareHalves<true>;
  default:
    return nullptr;
  }
}

u32 combine(u32 bits, Warp &w, const Op &op) {
  if (op.count == 0)
    return bits;
  u32 with = w.predicates[op.c] ^ (op.x ? allLanes : 0);
  return op.count == 1 ? bits & with : op.count == 2 ? bits | with : bits ^ with;
}

// op.imm: the comparison; op.d, op.y: predicates p and q.
void runSetp(Warp &w, const Op &op) {
  auto fn = reinterpret_cast<CompareFn>(op.imm);
  u32 bits = fn(w, op, 0);
  u32 other = op.flag2 ? fn(w, op, 16) : ~bits; // packed: q is the upper half
  u32 p = combine(bits, w, op), q = combine(other, w, op);
  w.putPredicate(op.d, p);
  if (op.y != nowhere)
    w.putPredicate(op.y, q);
}

void runSet(Warp &w, const Op &op) {
  auto fn = reinterpret_cast<CompareFn>(op.imm);
  u32 low = combine(fn(w, op, 0), w, op);
  u32 high = op.flag2 ? combine(fn(w, op, 16), w, op) : 0;
  u32 one = op.y;
  alignas(64) u32 t[lanes];
  for (u32 l = 0; l < lanes; ++l)
    t[l] = (low >> l & 1 ? (op.flag2 ? one & 0xffff : one) : 0) | (high >> l & 1 ? one << 16 : 0);
  w.put(op.d, t);
}

bool comparison(Decoder &d, const Instruction &i, Op &op, Type t) {
  constexpr std::string_view names[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                        "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
  bool found = false;
  for (u8 k = 0; k < 14; ++k)
    if (i.has(names[k]))
      op.flag = k, found = true;
  constexpr std::string_view unsignedNames[] = {"lo", "ls", "hi", "hs"};
  constexpr Compare unsignedOps[] = {Compare::lt, Compare::le, Compare::gt, Compare::ge};
  for (int k = 0; k < 4; ++k)
    if (i.has(unsignedNames[k]))
      op.flag = u8(unsignedOps[k]), found = true;
  CompareFn fn = comparisonOf(t);
  if (!found || !fn)
    return false;
  op.imm = reinterpret_cast<s64>(fn);
  op.flag2 = t == Type::f16x2 || t == Type::bf16x2;
  op.bytes = i.has("ftz");
  op.count = i.operands.size() < 4 ? 0 : i.has("and") ? 1 : i.has("or") ? 2 : i.has("xor") ? 3 : 0;
  op.a = d.in(i.operands[1], t);
  op.b = d.in(i.operands[2], t);
  if (op.count) {
    bool negated = false;
    op.c = d.predicateIn(i.operands[3], negated);
    op.x = negated;
  }
  return d.ok();
}

template <class T> void runSelect(Warp &w, const Op &op) {
  u32 bits = w.predicates[op.c] ^ (op.flag ? allLanes : 0);
  const auto *a = w.in<Cell<T>>(op.a), *b = w.in<Cell<T>>(op.b);
  alignas(64) Cell<T> t[lanes];
  for (u32 l = 0; l < lanes; ++l)
    t[l] = bits >> l & 1 ? a[l] : b[l];
  w.put(op.d, t);
}
template <class T, class C> void runSlct(Warp &w, const Op &op) {
  [[maybe_unused]] bool flushes = op.flag;
  map3<T, T, T, C>(w, op, [=](T a, T b, C c) {
    if constexpr (std::is_same_v<C, float>)
      c = flushes ? flush(c) : c;
    return c >= 0 ? a : b;
  });
}
} // namespace

void addCompareOps(OpTable &table) {
  table["setp"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runSetp;
    if (!comparison(d, i, op, i.type()))
      return false;
    op.y = nowhere;
    if (i.operands[0].kind == ptx::Operand::Kind::pair) {
      op.d = d.predicateOut(i.operands[0].elements[0]);
      op.y = d.predicateOut(i.operands[0].elements[1]);
    } else {
      op.d = d.predicateOut(i.operands[0]);
    }
    return d.ok();
  };
  table["set"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type out = i.type(0), in = i.type(1);
    op.run = runSet;
    if (i.types.size() != 2 || !comparison(d, i, op, in))
      return false;
    op.y = out == Type::f32                           ? 0x3f800000
           : out == Type::f16 || out == Type::f16x2   ? 0x3c00
           : out == Type::bf16 || out == Type::bf16x2 ? 0x3f80
           : info(out).bits == 16                     ? 0xffff
                                                      : ~0u;
    op.d = d.out(i.operands[0], out);
    return d.ok();
  };
  table["selp"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type t = i.type();
    bool negated = false;
    op.a = d.in(i.operands[1], t);
    op.b = d.in(i.operands[2], t);
    op.c = d.predicateIn(i.operands[3], negated);
    op.flag = negated;
    op.run = info(t).bits == 64 ? runSelect<u64> : runSelect<u32>;
    op.d = d.out(i.operands[0], t);
    return d.ok();
  };
  table["slct"] = [](Decoder &d, const Instruction &i, Op &op) {
    Type t = i.type(0), c = i.type(1);
    op.flag = i.has("ftz");
    op.a = d.in(i.operands[1], t);
    op.b = d.in(i.operands[2], t);
    op.c = d.in(i.operands[3], c);
    bool wide = info(t).bits == 64;
    op.run = c == Type::f32 ? (wide ? runSlct<u64, float> : runSlct<u32, float>)
                            : (wide ? runSlct<u64, s32> : runSlct<u32, s32>);
    op.d = d.out(i.operands[0], t);
    return d.ok();
  };
}

} // namespace tessera::vgpu
