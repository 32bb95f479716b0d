// Operations across the lanes of a warp (ISA 9.7.9.6, 9.7.13.9 to 9.7.13.14): shuffles, votes, matches, reductions.
#include "runtime/vgpu/exec/runners.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Type;

// The member mask is the same in all its lanes; false after a fault or while lanes are missing.
bool gather(Warp &w, u32 plane, u32 &members) {
  const auto *masks = w.in<u32>(plane);
  members = masks[std::countr_zero(w.mask)];
  for (u32 l = 0; l < lanes; ++l)
    if ((w.mask >> l & 1) && !(masks[l] >> l & 1)) {
      w.fail(Fault::divergent, l, masks[l], "the executing lane is not in its own member mask");
      return false;
    }
  u32 mine = 0;
  for (u32 l = 0; l < lanes; ++l)
    mine |= u32((w.mask >> l & 1) && masks[l] == members) << l;
  if (mine == w.mask)
    return w.converge(members);
  // Different masks in one instruction: each group is its own collective, which only some operations mean.
  members = 0;
  for (u32 l = 0; l < lanes; ++l)
    members |= w.mask >> l & 1 ? masks[l] : 0;
  return w.converge(members);
}

enum class Shuffle : u8 { up, down, bfly, idx };

// op.a value, op.b b, op.c c, op.more[0] members; op.y predicate.
template <Shuffle mode> void runShuffle(Warp &w, const Op &op) {
  u32 members = 0;
  if (op.more[0] != nowhere && !gather(w, op.more[0], members))
    return;
  const auto *a = w.in<u32>(op.a), *b = w.in<u32>(op.b), *c = w.in<u32>(op.c);
  alignas(64) u32 t[lanes];
  u32 inside = 0;
  for (u32 l = 0; l < lanes; ++l) {
    u32 clamp = c[l] & 31, segment = c[l] >> 8 & 31, by = b[l] & 31;
    u32 high = (l & segment) | (clamp & ~segment), low = l & segment, j = 0;
    bool ok = false;
    if constexpr (mode == Shuffle::up) {
      j = l - by;
      ok = s32(j) >= s32(high);
    }
    if constexpr (mode == Shuffle::down) {
      j = l + by;
      ok = j <= high;
    }
    if constexpr (mode == Shuffle::bfly) {
      j = l ^ by;
      ok = j <= high;
    }
    if constexpr (mode == Shuffle::idx) {
      j = low | (by & ~segment);
      ok = j <= high;
    }
    if (!ok)
      j = l;
    inside |= u32(ok) << l;
    // A lane that does not take part has no defined value: zero, so that runs agree.
    t[l] = w.mask >> (j & 31) & 1 ? a[j & 31] : 0;
  }
  w.put(op.d, t);
  if (op.y != nowhere)
    w.putPredicate(op.y, inside);
}

// op.flag: mode, op.flag2: the source is negated.
void runVote(Warp &w, const Op &op) {
  u32 members = 0;
  if (op.b != nowhere && !gather(w, op.b, members))
    return;
  u32 bits = (w.predicates[op.a] ^ (op.flag2 ? allLanes : 0)) & w.mask;
  bool all = bits == w.mask, any = bits != 0;
  if (op.flag == 3) {
    alignas(64) u32 t[lanes];
    std::fill(t, t + lanes, bits);
    w.put(op.d, t);
    return;
  }
  w.putPredicate(op.d, (op.flag == 0 ? all : op.flag == 1 ? any : all || !any) ? allLanes : 0);
}

template <class T> void runMatch(Warp &w, const Op &op) {
  u32 members = 0;
  if (!gather(w, op.b, members))
    return;
  const auto *a = w.in<T>(op.a);
  alignas(64) u32 t[lanes] = {};
  bool same = true;
  u32 first = u32(std::countr_zero(w.mask));
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    same &= a[l] == a[first];
    for (u32 k = 0; k < lanes; ++k)
      t[l] |= u32((w.mask >> k & 1) && a[k] == a[l]) << k;
  }
  if (op.flag) { // all
    for (u32 l = 0; l < lanes; ++l)
      t[l] = same ? w.mask : 0;
    if (op.y != nowhere)
      w.putPredicate(op.y, same ? allLanes : 0);
  }
  w.put(op.d, t);
}

void runRedux(Warp &w, const Op &op) {
  u32 members = 0;
  if (!gather(w, op.b, members))
    return;
  const auto *a = w.in<u32>(op.a);
  u32 r = a[std::countr_zero(w.mask)];
  bool first = true;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    if (first) {
      r = a[l], first = false;
      continue;
    }
    switch (op.flag) {
    case 0:
      r += a[l];
      break;
    case 1:
      r = op.flag2 ? u32(std::min(s32(r), s32(a[l]))) : std::min(r, a[l]);
      break;
    case 2:
      r = op.flag2 ? u32(std::max(s32(r), s32(a[l]))) : std::max(r, a[l]);
      break;
    case 3:
      r &= a[l];
      break;
    case 4:
      r |= a[l];
      break;
    default:
      r ^= a[l];
      break;
    }
  }
  alignas(64) u32 t[lanes];
  std::fill(t, t + lanes, r);
  w.put(op.d, t);
}

void runActiveMask(Warp &w, const Op &op) {
  alignas(64) u32 t[lanes];
  std::fill(t, t + lanes, w.mask);
  w.put(op.d, t);
}

void runElect(Warp &w, const Op &op) {
  u32 members = 0;
  if (!gather(w, op.b, members))
    return;
  u32 leader = u32(std::countr_zero(w.mask));
  alignas(64) u32 t[lanes];
  std::fill(t, t + lanes, leader);
  w.put(op.d, t);
  w.putPredicate(op.y, 1u << leader);
}

void runSyncWarp(Warp &w, const Op &op) {
  u32 members = 0;
  if (gather(w, op.a, members))
    w.block->syncLanes(w, members);
}

void destinations(Decoder &d, const Operand &o, Op &op, Type t) {
  op.y = nowhere;
  if (o.kind == Operand::Kind::pair) {
    op.d = d.out(o.elements[0], t);
    op.y = d.predicateOut(o.elements[1]);
  } else {
    op.d = d.out(o, t);
  }
}

bool shuffle(Decoder &d, const Instruction &i, Op &op) {
  op.pipe = Pipe::shared;
  op.run = i.has("up")     ? runShuffle<Shuffle::up>
           : i.has("down") ? runShuffle<Shuffle::down>
           : i.has("bfly") ? runShuffle<Shuffle::bfly>
                           : runShuffle<Shuffle::idx>;
  if (i.operands.size() != 5)
    return d.refuse("shfl without .sync does not exist on this chip");
  op.a = d.in(i.operands[1], Type::b32);
  op.b = d.in(i.operands[2], Type::u32);
  op.c = d.in(i.operands[3], Type::u32);
  op.more.push_back(d.in(i.operands[4], Type::u32));
  destinations(d, i.operands[0], op, Type::b32);
  return d.ok();
}

bool vote(Decoder &d, const Instruction &i, Op &op) {
  bool negated = false;
  op.run = runVote;
  op.flag = i.has("all") ? 0 : i.has("any") ? 1 : i.has("uni") ? 2 : 3;
  if (i.operands.size() != 3)
    return d.refuse("vote without .sync does not exist on this chip");
  op.a = d.predicateIn(i.operands[1], negated);
  op.flag2 = negated;
  op.b = d.in(i.operands[2], Type::u32);
  op.d = op.flag == 3 ? d.out(i.operands[0], Type::b32) : d.predicateOut(i.operands[0]);
  return d.ok();
}

bool match(Decoder &d, const Instruction &i, Op &op) {
  bool wide = info(i.type()).bits == 64;
  op.run = wide ? runMatch<u64> : runMatch<u32>;
  op.flag = i.opcode == "match.all.sync";
  op.a = d.in(i.operands[1], i.type());
  op.b = d.in(i.operands[2], Type::u32);
  destinations(d, i.operands[0], op, Type::b32);
  return d.ok();
}
} // namespace

void addWarpOps(OpTable &table) {
  table["shfl.sync"] = shuffle;
  table["shfl"] = shuffle;
  table["vote.sync"] = vote;
  table["vote"] = vote;
  table["match.any.sync"] = match;
  table["match.all.sync"] = match;
  table["redux.sync"] = [](Decoder &d, const Instruction &i, Op &op) {
    constexpr std::string_view names[] = {"add", "min", "max", "and", "or", "xor"};
    op.run = runRedux;
    for (u8 k = 0; k < 6; ++k)
      if (i.has(names[k]))
        op.flag = k;
    if (info(i.type()).kind == 'f')
      return d.refuse("redux of floating-point values needs sm_100");
    op.flag2 = i.type() == Type::s32;
    op.a = d.in(i.operands[1], Type::b32);
    op.b = d.in(i.operands[2], Type::u32);
    op.d = d.out(i.operands[0], Type::b32);
    return d.ok();
  };
  table["activemask"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runActiveMask;
    op.d = d.out(i.operands[0], Type::b32);
    return d.ok();
  };
  table["elect.sync"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runElect;
    op.b = d.in(i.operands[1], Type::u32);
    destinations(d, i.operands[0], op, Type::b32);
    if (op.y == nowhere)
      return d.refuse("needs a predicate");
    return d.ok();
  };
  table["bar.warp.sync"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runSyncWarp;
    op.pipe = Pipe::sync;
    op.a = d.in(i.operands[0], Type::u32);
    return d.ok();
  };
}

} // namespace tessera::vgpu
