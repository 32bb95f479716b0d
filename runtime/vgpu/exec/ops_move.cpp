// mov in its forms: registers, constants, predicates, packing and unpacking of vectors (ISA 9.7.9.3, 9.7.9.4).
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
bool decodeClock(Decoder &d, const ptx::Instruction &i, Op &op);

namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Type;

struct Same {
  template <class T> static T f(T a) { return a; }
};

void runPredicateMove(Warp &w, const Op &op) {
  w.putPredicate(op.d, op.flag2 ? (op.imm ? allLanes : 0) : w.predicates[op.a] ^ (op.flag ? allLanes : 0));
}

void runPredicateOfWord(Warp &w, const Op &op) {
  u32 bits = 0;
  for (u32 l = 0; l < lanes; ++l)
    bits |= u32(w.in<u32>(op.a)[l] != 0) << l;
  w.putPredicate(op.d, bits);
}

// op.more: the elements' planes, op.bytes: bytes of one element.
void runPack(Warp &w, const Op &op) {
  alignas(64) u64 t[lanes] = {};
  for (u32 k = 0; k < op.count; ++k) {
    const auto *e = w.in<u32>(op.more[k]);
    u64 keep = op.bytes == 4 ? 0xffffffff : (1ull << 8 * op.bytes) - 1;
    for (u32 l = 0; l < lanes; ++l)
      t[l] |= (e[l] & keep) << (8 * op.bytes * k);
  }
  if (op.bytes * op.count == 8) {
    w.put(op.d, t);
    return;
  }
  alignas(64) u32 n[lanes];
  for (u32 l = 0; l < lanes; ++l)
    n[l] = u32(t[l]);
  w.put(op.d, n);
}

void runUnpack(Warp &w, const Op &op) {
  alignas(64) u64 source[lanes];
  bool wide = op.bytes * op.count == 8;
  for (u32 l = 0; l < lanes; ++l)
    source[l] = wide ? w.in<u64>(op.a)[l] : w.in<u32>(op.a)[l];
  u64 keep = op.bytes == 4 ? 0xffffffff : (1ull << 8 * op.bytes) - 1;
  for (u32 k = 0; k < op.count; ++k) {
    alignas(64) u32 n[lanes];
    for (u32 l = 0; l < lanes; ++l)
      n[l] = u32(source[l] >> (8 * op.bytes * k) & keep);
    w.put(op.more[k], n);
  }
}

// Between two 64-bit planes that follow each other (a .b128 register) and another such or a vector of two.
void runQuad(Warp &w, const Op &op) {
  alignas(64) u64 t[2][lanes];
  for (u32 k = 0; k < 2; ++k)
    std::memcpy(t[k], w.in<u64>(op.more[k]), sizeof t[k]);
  for (u32 k = 0; k < 2; ++k)
    w.put(op.more[2 + k], t[k]);
}
bool moveQuad(Decoder &d, const Operand &to, const Operand &from, Op &op) {
  op.run = runQuad;
  for (const Operand *o : {&from, &to}) {
    if (o->kind == Operand::Kind::vector) {
      if (o->elements.size() != 2)
        return d.refuse("a .b128 value has two parts");
      for (const Operand &e : o->elements)
        op.more.push_back(o == &from ? d.in(e, Type::b64) : d.out(e, Type::b64));
    } else {
      u32 plane = d.quad(*o);
      op.more.insert(op.more.end(), {plane, plane + 256});
    }
  }
  return d.ok();
}

bool move(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  const Operand &to = i.operands[0], &from = i.operands[1];
  if (t == Type::pred) {
    op.run = runPredicateMove;
    if (from.kind == Operand::Kind::special && from.name == "%is_explicit_cluster") {
      op.run = runPredicateOfWord;
      op.a = d.in(from, Type::u32);
    } else if (from.kind == Operand::Kind::immediate) {
      op.flag2 = 1;
      op.imm = from.bits != 0;
    } else {
      bool negated = false;
      op.a = d.predicateIn(from, negated);
      op.flag = negated;
    }
    op.d = d.predicateOut(to);
    return d.ok();
  }
  if (t == Type::b128)
    return moveQuad(d, to, from, op);
  if (info(t).bits > 64)
    return false;
  bool pack = from.kind == Operand::Kind::vector, unpack = to.kind == Operand::Kind::vector;
  if (pack || unpack) {
    const std::vector<Operand> &elements = pack ? from.elements : to.elements;
    if ((pack && unpack) || (elements.size() != 2 && elements.size() != 4) || bytesOf(t) / elements.size() == 0)
      return d.refuse("a vector of this size does not fit");
    op.count = u8(elements.size());
    op.bytes = u8(bytesOf(t) / elements.size());
    Type part = op.bytes == 4 ? Type::b32 : op.bytes == 2 ? Type::b16 : Type::b8;
    for (const Operand &e : elements)
      op.more.push_back(pack ? d.in(e, part) : d.out(e, part));
    op.run = pack ? runPack : runUnpack;
    if (pack)
      op.d = d.out(to, t);
    else
      op.a = d.in(from, t);
    return d.ok();
  }
  if (from.kind == Operand::Kind::special && decodeClock(d, i, op))
    return d.ok();
  op.run = info(t).bits == 64 ? Unary<u64, Same>::run : Unary<u32, Same>::run;
  op.a = d.in(from, t);
  op.d = d.out(to, t);
  return d.ok();
}
} // namespace

void addMoveOps(OpTable &table) { table["mov"] = move; }

} // namespace tessera::vgpu
