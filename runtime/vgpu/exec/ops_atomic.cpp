// atom and red (ISA 9.7.13.5, 9.7.13.6): lane after lane, atomic between the threads that run blocks.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/numeric.h"
#include "runtime/vgpu/exec/reduction.h"
#include <mutex>

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Space;
using ptx::Type;

enum class Kind : u8 { bitAnd, bitOr, bitXor, cas, exch, add, inc, dec, min, max };

template <class T> T apply(Kind kind, T old, T b, T c) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    switch (kind) {
    case Kind::bitAnd:
      return old & b;
    case Kind::bitOr:
      return old | b;
    case Kind::bitXor:
      return old ^ b;
    case Kind::inc:
      return old >= b ? T(0) : T(old + 1);
    case Kind::dec:
      return old == 0 || old > b ? b : T(old - 1);
    case Kind::add:
      return T(U(old) + U(b));
    default:
      break;
    }
  }
  switch (kind) {
  case Kind::cas:
    return toCell<T>(old) == toCell<T>(b) ? c : old;
  case Kind::exch:
    return b;
  case Kind::add:
    return T(old + b);
  case Kind::min:
    return b < old ? b : old;
  case Kind::max:
    return old < b ? b : old;
  default:
    return old;
  }
}

struct F16x2 {
  u32 bits;
};
struct Bf16x2 {
  u32 bits;
};
struct F16 {
  u16 bits;
};
struct Bf16 {
  u16 bits;
};
u16 halfOp(Kind kind, u16 a, u16 b, bool brain) {
  float x = brain ? fromBf16(a) : fromF16(a), y = brain ? fromBf16(b) : fromF16(b);
  float r = kind == Kind::add ? x + y : kind == Kind::min ? std::fmin(x, y) : std::fmax(x, y);
  return brain ? toBf16(r) : toF16(r);
}
template <> F16 apply(Kind k, F16 o, F16 b, F16) { return {halfOp(k, o.bits, b.bits, false)}; }
template <> Bf16 apply(Kind k, Bf16 o, Bf16 b, Bf16) { return {halfOp(k, o.bits, b.bits, true)}; }
template <> F16x2 apply(Kind k, F16x2 o, F16x2 b, F16x2) {
  return {u32(halfOp(k, u16(o.bits), u16(b.bits), false)) | u32(halfOp(k, u16(o.bits >> 16), u16(b.bits >> 16), false))
                                                                << 16};
}
template <> Bf16x2 apply(Kind k, Bf16x2 o, Bf16x2 b, Bf16x2) {
  return {u32(halfOp(k, u16(o.bits), u16(b.bits), true)) | u32(halfOp(k, u16(o.bits >> 16), u16(b.bits >> 16), true))
                                                               << 16};
}

template <class T> using Word = std::conditional_t<sizeof(T) == 8, u64, std::conditional_t<sizeof(T) == 4, u32, u16>>;

// op.flag2: the kind; op.x: the space; op.y: 0 for red. op.b, op.c: operands.
template <class T> void runAtomic(Warp &w, const Op &op) {
  Access x;
  x.mask = w.mask;
  x.bytes = sizeof(T);
  x.atomic = x.write = true;
  x.read = op.y & 1 || Kind(op.flag2) != Kind::exch;
  x.order = u8(op.y >> 1);
  gatherAddresses(w, op, x);
  if (!resolve(w, op, Space(op.x), x))
    return;
  const auto *b = w.in<Cell<T>>(op.b), *c = w.in<Cell<T>>(op.c);
  auto kind = Kind(op.flag2);
  alignas(64) Cell<T> t[lanes] = {};
  using W = Word<T>;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    auto *at = reinterpret_cast<W *>(x.at[l]);
    W old = __atomic_load_n(at, __ATOMIC_RELAXED), next;
    do
      next = std::bit_cast<W>(apply<T>(kind, std::bit_cast<T>(old), fromCell<T>(b[l]), fromCell<T>(c[l])));
    while (!__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    t[l] = old;
  }
  if (op.y & 1)
    w.put(op.d, t);
}

// red.global.add.v2.f32 and wider vectors (sm_90): element after element.
template <class T> void runVector(Warp &w, const Op &op) {
  Access x;
  x.mask = w.mask;
  x.bytes = sizeof(T) * op.count;
  x.atomic = x.write = true;
  x.read = op.y & 1 || Kind(op.flag2) != Kind::exch;
  x.order = u8(op.y >> 1);
  gatherAddresses(w, op, x);
  if (!resolve(w, op, Space(op.x), x))
    return;
  using W = Word<T>;
  for (u32 k = 0; k < op.count; ++k) {
    const auto *b = w.in<Cell<T>>(op.more[k]);
    alignas(64) Cell<T> t[lanes] = {};
    for (u32 l = 0; l < lanes; ++l) {
      if (!(w.mask >> l & 1))
        continue;
      auto *at = reinterpret_cast<W *>(x.at[l]) + k;
      W old = __atomic_load_n(at, __ATOMIC_RELAXED), next;
      do
        next = std::bit_cast<W>(apply<T>(Kind(op.flag2), std::bit_cast<T>(old), fromCell<T>(b[l]), fromCell<T>(b[l])));
      while (!__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
      t[l] = old;
    }
    if (op.y & 1)
      w.put(op.more[op.count + k], t);
  }
}

// exch and cas of 16 bytes; between the threads that run blocks, one at a time.
void runQuad(Warp &w, const Op &op) {
  static std::mutex one;
  Access x;
  x.mask = w.mask;
  x.bytes = 16;
  x.atomic = x.write = true;
  gatherAddresses(w, op, x);
  if (!resolve(w, op, Space(op.x), x))
    return;
  alignas(64) u64 t[2][lanes] = {};
  std::lock_guard hold(one);
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    u64 old[2], b[2] = {w.in<u64>(op.b)[l], w.in<u64>(op.b + 256)[l]};
    std::memcpy(old, x.at[l], 16);
    t[0][l] = old[0], t[1][l] = old[1];
    if (Kind(op.flag2) == Kind::exch) {
      std::memcpy(x.at[l], b, 16);
    } else if (old[0] == b[0] && old[1] == b[1]) {
      u64 c[2] = {w.in<u64>(op.c)[l], w.in<u64>(op.c + 256)[l]};
      std::memcpy(x.at[l], c, 16);
    }
  }
  w.put(op.d, t[0]);
  w.put(op.d + 256, t[1]);
}

bool atomic(Decoder &d, const Instruction &i, Op &op) {
  constexpr std::string_view names[] = {"and", "or", "xor", "cas", "exch", "add", "inc", "dec", "min", "max"};
  bool found = false, returns = i.opcode == "atom";
  for (u8 k = 0; k < 10; ++k)
    if (i.has(names[k]))
      op.flag2 = k, found = true;
  Type t = i.type();
  if (!found || i.types.size() != 1)
    return false;
  auto kind = Kind(op.flag2);
  bool isFloat = info(t).kind == 'f';
  if (isFloat && kind != Kind::add &&
      !(info(t).bits <= 32 && t != Type::f32 && (kind == Kind::min || kind == Kind::max)))
    return false;
  if (t == Type::f64 && d.arch < 60)
    return d.refuse("needs sm_60");
  Space space = i.space();
  size_t at = returns ? 1 : 0;
  Decoder::Address a = d.address(i.operands[at], space);
  op.a = a.plane;
  op.flag = a.wide;
  op.imm = a.offset;
  op.x = u32(a.space);
  op.pipe = Pipe::atomic;
  op.bytes = u8(bytesOf(t));
  op.y = returns | (i.has("acquire") || i.has("acq_rel") ? 2u : 0u) | (i.has("release") || i.has("acq_rel") ? 4u : 0u);
  // The order in which blocks add floating-point numbers, or see old values, can be observed.
  if (space != Space::shared && (isFloat || (returns && i.operands[0].kind != ptx::Operand::Kind::sink)))
    d.program.usesAtomics = true;
  if (i.has("v2") || i.has("v4") || i.has("v8")) {
    op.count = i.has("v2") ? 2 : i.has("v4") ? 4 : 8;
    const auto &data = i.operands[at + 1].elements;
    if (data.size() != op.count || (returns && i.operands[0].elements.size() != op.count))
      return false;
    for (const auto &e : data)
      op.more.push_back(d.in(e, t));
    for (size_t k = 0; returns && k < op.count; ++k)
      op.more.push_back(d.out(i.operands[0].elements[k], t));
    op.run = t == Type::f32      ? runVector<float>
             : t == Type::f16    ? runVector<F16>
             : t == Type::bf16   ? runVector<Bf16>
             : t == Type::f16x2  ? runVector<F16x2>
             : t == Type::bf16x2 ? runVector<Bf16x2>
                                 : nullptr;
    return d.ok() && op.run;
  }
  if (i.operands.size() <= at + (kind == Kind::cas ? 2 : 1))
    return false;
  if (t == Type::b128) {
    if (!returns || (kind != Kind::exch && kind != Kind::cas))
      return d.refuse(".b128 has .exch and .cas only");
    op.run = runQuad;
    op.bytes = 16;
    op.b = d.quad(i.operands[2]);
    op.c = kind == Kind::cas ? d.quad(i.operands[3]) : op.b;
    op.d = d.quad(i.operands[0]);
    return d.ok();
  }
  op.b = d.in(i.operands[at + 1], t);
  op.c = kind == Kind::cas ? d.in(i.operands[at + 2], t) : op.b;
  switch (t) {
  case Type::b16:
    op.run = kind == Kind::cas || kind == Kind::exch ? runAtomic<u16> : nullptr;
    break;
  case Type::b32:
  case Type::u32:
    op.run = runAtomic<u32>;
    break;
  case Type::s32:
    op.run = runAtomic<s32>;
    break;
  case Type::b64:
  case Type::u64:
    op.run = runAtomic<u64>;
    break;
  case Type::s64:
    op.run = runAtomic<s64>;
    break;
  case Type::f32:
    op.run = runAtomic<float>;
    break;
  case Type::f64:
    op.run = runAtomic<double>;
    break;
  case Type::f16:
    op.run = runAtomic<F16>;
    break;
  case Type::bf16:
    op.run = runAtomic<Bf16>;
    break;
  case Type::f16x2:
    op.run = runAtomic<F16x2>;
    break;
  case Type::bf16x2:
    op.run = runAtomic<Bf16x2>;
    break;
  default:
    return false;
  }
  if (returns)
    op.d = d.out(i.operands[0], t);
  return d.ok() && op.run;
}
} // namespace

namespace {
template <class T> void reduceOne(Kind kind, u8 *to, const u8 *from) {
  using W = Word<T>;
  W value;
  std::memcpy(&value, from, sizeof value);
  auto *at = reinterpret_cast<W *>(to);
  W old = __atomic_load_n(at, __ATOMIC_RELAXED), next;
  do
    next = std::bit_cast<W>(apply<T>(kind, std::bit_cast<T>(old), std::bit_cast<T>(value), std::bit_cast<T>(value)));
  while (!__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}
template <class T, Kind kind> void reduce(u8 *to, const u8 *from) { reduceOne<T>(kind, to, from); }
template <class T> Reduce reduceInteger(Kind kind) {
  switch (kind) {
  case Kind::bitAnd:
    return reduce<T, Kind::bitAnd>;
  case Kind::bitOr:
    return reduce<T, Kind::bitOr>;
  case Kind::bitXor:
    return reduce<T, Kind::bitXor>;
  case Kind::add:
    return reduce<T, Kind::add>;
  case Kind::inc:
    return sizeof(T) == 4 && std::is_unsigned_v<T> ? Reduce(reduce<T, Kind::inc>) : nullptr;
  case Kind::dec:
    return sizeof(T) == 4 && std::is_unsigned_v<T> ? Reduce(reduce<T, Kind::dec>) : nullptr;
  case Kind::min:
    return reduce<T, Kind::min>;
  case Kind::max:
    return reduce<T, Kind::max>;
  default:
    return nullptr;
  }
}
template <class T> Reduce reduceFloat(Kind kind, bool ordered) {
  return kind == Kind::add              ? Reduce(reduce<T, Kind::add>)
         : ordered && kind == Kind::min ? Reduce(reduce<T, Kind::min>)
         : ordered && kind == Kind::max ? Reduce(reduce<T, Kind::max>)
                                        : nullptr;
}
} // namespace

u8 reductionKind(const Instruction &i) {
  constexpr std::string_view names[] = {"and", "or", "xor", "", "", "add", "inc", "dec", "min", "max"};
  for (u8 k = 0; k < 10; ++k)
    if (!names[k].empty() && i.has(names[k]))
      return k;
  return 0xff;
}

Reduce reductionOf(Type type, u8 kind) {
  switch (type) {
  case Type::b32:
  case Type::u32:
    return reduceInteger<u32>(Kind(kind));
  case Type::s32:
    return reduceInteger<s32>(Kind(kind));
  case Type::b64:
  case Type::u64:
    return reduceInteger<u64>(Kind(kind));
  case Type::s64:
    return reduceInteger<s64>(Kind(kind));
  case Type::f32:
    return reduceFloat<float>(Kind(kind), false);
  case Type::f64:
    return reduceFloat<double>(Kind(kind), false);
  case Type::f16:
    return reduceFloat<F16>(Kind(kind), true);
  case Type::bf16:
    return reduceFloat<Bf16>(Kind(kind), true);
  default:
    return nullptr;
  }
}

void addAtomicOps(OpTable &table) {
  table["atom"] = atomic;
  table["red"] = atomic;
}

} // namespace tessera::vgpu
