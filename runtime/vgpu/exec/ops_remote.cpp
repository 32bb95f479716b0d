// st.async and red.async (ISA 9.7.9.12, 9.7.13.7): a value to shared memory of a block of the cluster; the mbarrier
// beside it counts the bytes.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/async.h"
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/reduction.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

// op.a, op.imm: address; op.b, op.y: mbarrier (op.flag: bit 0 and 1, whether they are of 64 bits); op.count elements of
// op.bytes in op.more; op.x: type | kind + 1 << 8 of a reduction, 0 for a store.
void runRemote(Warp &w, const Op &op) {
  Access to, barrier;
  gatherAddresses(w, op, to);
  Op second = op;
  second.a = op.b;
  second.imm = s32(op.y);
  second.flag = op.flag >> 1;
  gatherAddresses(w, second, barrier);
  u32 bytes = u32(op.bytes) * op.count;
  Reduce reduce = op.x ? reductionOf(Type(op.x & 255), u8((op.x >> 8) - 1)) : nullptr;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    auto address = u32(to.address[l]), mbarrier = u32(barrier.address[l]);
    if (address & (bytes - 1))
      return w.fail(Fault::misaligned, l, address, "the address is not a multiple of " + std::to_string(bytes));
    u32 own = w.block->clusterRank + 1, rank = address >> clusterShift, other = mbarrier >> clusterShift;
    if ((rank ? rank : own) != (other ? other : own))
      return w.fail(Fault::illegal, l, address, "the value and its mbarrier are in different blocks");
    u8 data[16];
    for (u32 k = 0; k < op.count; ++k) {
      u64 v = op.bytes == 8 ? w.in<u64>(op.more[k])[l] : w.in<u32>(op.more[k])[l];
      std::memcpy(data + k * op.bytes, &v, op.bytes);
    }
    if (!deliver(w, l, {address, mbarrier, bytes, 0, reduce != nullptr, false}, [&](Block &block, u32 offset) {
          if (reduce)
            reduce(block.shared.data() + offset, data);
          else
            std::memcpy(block.shared.data() + offset, data, bytes);
        }))
      return;
  }
}

bool remote(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  bool reduces = i.opcode == "red.async";
  if (i.types.size() != 1 || bytesOf(t) < 4 || bytesOf(t) > 8 || i.operands.size() != 3)
    return d.refuse("takes values of 4 or 8 bytes and an mbarrier");
  Decoder::Address to = d.address(i.operands[0], Space::shared), barrier = d.address(i.operands[2], Space::shared);
  op.a = to.plane, op.imm = to.offset;
  op.b = barrier.plane, op.y = u32(barrier.offset);
  op.flag = u8(to.wide | barrier.wide << 1);
  op.bytes = u8(bytesOf(t));
  op.count = i.has("v2") ? 2 : i.has("v4") ? 4 : 1;
  const Operand &data = i.operands[1];
  if (op.bytes * op.count > 16 || (data.kind == Operand::Kind::vector ? data.elements.size() : 1) != op.count)
    return d.refuse("the vector has the wrong number of registers");
  for (u32 k = 0; k < op.count; ++k)
    op.more.push_back(d.in(op.count > 1 ? data.elements[k] : data, t));
  if (reduces) {
    u8 kind = reductionKind(i);
    if (!reductionOf(t, kind))
      return d.refuse("this reduction of this type does not exist");
    op.x = u32(t) | u32(kind + 1) << 8;
  }
  op.run = runRemote;
  op.pipe = Pipe::shared;
  return d.ok();
}
} // namespace

void addRemoteOps(OpTable &table) {
  table["st.async"] = remote;
  table["red.async"] = remote;
}

} // namespace tessera::vgpu
