// cp.async (ISA 9.7.9.25.3): the bytes are read at once and written when the copy is waited for, and count as undefined
// until then: a missing wait is found on the first run.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/async.h"
#include "runtime/vgpu/exec/families.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

// op.a destination, op.b source plane (op.flag bit 1: 64-bit), op.y source offset, op.c source bytes or nowhere,
// op.x: predicate that ignores the source, or nowhere. op.count: bytes.
void runCopyAsync(Warp &w, const Op &op) {
  Access to, from;
  to.mask = w.mask;
  to.bytes = from.bytes = op.count;
  to.write = to.async = true;
  to.read = false;
  gatherAddresses(w, op, to);
  Op source = op;
  source.a = op.b;
  source.flag = op.flag >> 1 & 1;
  source.imm = s32(op.y);
  from.uncached = op.flag & 4;
  gatherAddresses(w, source, from);
  u32 take[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    take[l] = op.c != nowhere ? w.in<u32>(op.c)[l] : op.count;
    if (op.x != nowhere && (w.predicates[op.x] >> l & 1))
      take[l] = 0;
    if ((w.mask >> l & 1) && take[l] > op.count)
      return w.fail(Fault::illegal, l, take[l], "the source size is larger than the copy");
    from.mask |= u32((w.mask >> l & 1) && take[l]) << l;
  }
  Op wide;
  wide.bytes = op.count;
  if (!resolve(w, wide, Space::shared, to) || (from.mask && !resolve(w, wide, Space::global, from)))
    return;
  joinGroup(w, Wait::copyAsync, copyTime(w, *w.block, u64(std::popcount(from.mask)) * op.count));
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    Warp::Copy copy{l, w.openGroup[l], u32(to.address[l]), op.count, {}};
    if (take[l])
      std::memcpy(copy.data, from.at[l], take[l]);
    w.copies.push_back(copy);
  }
}

void runCommit(Warp &w, const Op &) {
  commitGroup(w, Wait::copyAsync);
  for (u32 l = 0; l < lanes; ++l)
    w.openGroup[l] += w.mask >> l & 1;
}

// op.imm: groups that may stay open; -1 for wait_all.
void runWait(Warp &w, const Op &op) {
  if (op.imm < 0)
    commitGroup(w, Wait::copyAsync);
  waitGroups(w, Wait::copyAsync, op.imm < 0 ? 0 : u64(op.imm));
  for (u32 l = 0; l < lanes; ++l)
    if (op.imm < 0)
      w.openGroup[l] += w.mask >> l & 1;
  finishCopies(w, op.imm < 0 ? 0 : u32(op.imm));
}

bool copyAsync(Decoder &d, const Instruction &i, Op &op) {
  s64 bytes = 0;
  if (i.operands.size() < 3 || !d.immediate(i.operands[2], bytes) || (bytes != 4 && bytes != 8 && bytes != 16))
    return d.refuse("copies 4, 8 or 16 bytes");
  if (i.opcode == "cp.async.cg" && bytes != 16)
    return d.refuse("cp.async.cg copies 16 bytes");
  Decoder::Address to = d.address(i.operands[0], Space::shared), from = d.address(i.operands[1], Space::global);
  op.a = to.plane;
  op.imm = to.offset;
  op.b = from.plane;
  op.y = u32(from.offset);
  op.flag = u8(to.wide | from.wide << 1 | (i.opcode == "cp.async.cg") << 2);
  op.count = u8(bytes);
  op.c = op.x = nowhere;
  if (i.operands.size() > 3) {
    const Operand &extra = i.operands[3];
    bool negated = false;
    if (d.typeOf(extra) == Type::pred) {
      op.x = d.predicateIn(extra, negated);
      if (negated)
        return false;
    } else if (!(i.has("L2::cache_hint") && i.operands.size() == 4)) {
      op.c = d.in(extra, Type::u32);
    }
  }
  op.pipe = Pipe::global;
  op.run = runCopyAsync;
  return d.ok();
}
} // namespace

void finishCopies(Warp &w, u32 open) {
  size_t kept = 0;
  for (Warp::Copy &copy : w.copies) {
    bool done = (w.mask >> copy.lane & 1) && copy.group + open < w.openGroup[copy.lane];
    if (!done) {
      w.copies[kept++] = copy;
      continue;
    }
    std::memcpy(w.block->shared.data() + copy.offset, copy.data, copy.bytes);
    if (w.launch->options.checkShared)
      for (u32 word = copy.offset / 4; word < (copy.offset + copy.bytes + 3) / 4; ++word)
        w.block->shadow.endAsync(word, w.viewer.agent, copy.lane, w.viewer.now, true);
  }
  w.copies.resize(kept);
}

void addAsyncOps(OpTable &table) {
  table["cp.async.ca"] = copyAsync;
  table["cp.async.cg"] = copyAsync;
  table["cp.async.commit_group"] = [](Decoder &, const Instruction &, Op &op) {
    op.run = runCommit;
    op.pipe = Pipe::sync;
    return true;
  };
  table["cp.async.wait_group"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runWait;
    op.pipe = Pipe::sync;
    return d.immediate(i.operands[0], op.imm) && op.imm >= 0;
  };
  table["cp.async.wait_all"] = [](Decoder &, const Instruction &, Op &op) {
    op.run = runWait;
    op.pipe = Pipe::sync;
    op.imm = -1;
    return true;
  };
}

} // namespace tessera::vgpu
