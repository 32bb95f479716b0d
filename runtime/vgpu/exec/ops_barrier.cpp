// Block barriers, fences, and small control operations (ISA 9.7.13.1 to 9.7.13.4, 9.7.19).
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/runners.h"
#include "runtime/vgpu/exec/warpgroup.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Type;

// op.a: barrier number, op.more[0]: threads or nowhere; op.flag: does not wait; op.flag2: reduction 1 popc 2 and 3 or;
// op.x: .aligned.
void runBarrier(Warp &w, const Op &op) {
  u32 lane = u32(std::countr_zero(w.mask));
  u32 number = w.in<u32>(op.a)[lane];
  u32 threads = op.more[0] == nowhere ? 0 : w.in<u32>(op.more[0])[lane];
  for (u32 l = 0; l < lanes; ++l)
    if ((w.mask >> l & 1) && w.in<u32>(op.a)[l] != number)
      return w.fail(Fault::barrier, l, number, "lanes of one warp arrive at different barriers in one instruction");
  if (op.more[0] != nowhere && threads == 0)
    return w.fail(Fault::barrier, lane, number, "a barrier of no threads");
  w.block->arrive(w, op, number, threads, !op.flag);
}

bool barrier(Decoder &d, const Instruction &i, Op &op) {
  op.run = runBarrier;
  op.pipe = Pipe::sync;
  op.flag = i.has("arrive");
  op.x = i.opcode == "bar" || i.has("aligned");
  op.b = nowhere;
  op.c = 0;
  size_t at = 0;
  size_t count = i.operands.size();
  if (i.has("red")) {
    op.flag2 = i.has("popc") ? 1 : i.has("and") ? 2 : 3;
    op.d = op.flag2 == 1 ? d.out(i.operands[0], Type::u32) : d.predicateOut(i.operands[0]);
    bool negated = false;
    op.b = d.predicateIn(i.operands[count - 1], negated);
    op.c = negated;
    at = 1;
    --count;
  }
  if (at >= count)
    return false;
  op.a = d.in(i.operands[at], Type::u32);
  op.more.push_back(count > at + 1 ? d.in(i.operands[at + 1], Type::u32) : nowhere);
  if (op.flag && op.more[0] == nowhere)
    return d.refuse("bar.arrive needs a number of threads");
  return d.ok();
}

void runNothing(Warp &, const Op &) {}
// Gives the other warps a turn.
void runSleep(Warp &w, const Op &) {
  w.stop = true;
  w.idle = true;
}
// fence.proxy.async: what this warp wrote, or knows to be written, becomes visible to the async proxy.
void runProxyFence(Warp &w, const Op &) {
  w.proxyView = w.clock;
  Block &first = *w.block->cluster[0];
  first.proxyFences[w.viewer.agent] = first.initFences[w.viewer.agent] = w.viewer.now;
  w.block->tick(w); // later writes get a later time
}
void runMemoryFence(Warp &w, const Op &) { memoryFence(w); }
// fence.mbarrier_init: the async proxy and other blocks may use what this warp initialised.
void runInitFence(Warp &w, const Op &) {
  w.block->cluster[0]->initFences[w.viewer.agent] = w.viewer.now;
  w.block->tick(w);
}
bool fence(Decoder &, const Instruction &, Op &op) {
  op.run = runNothing;
  op.pipe = Pipe::sync;
  return true;
}
} // namespace

void addBarrierOps(OpTable &table) {
  table["bar"] = barrier;
  table["barrier"] = barrier;
  for (std::string_view name : {"membar", "fence"})
    table[name] = [](Decoder &d, const Instruction &i, Op &op) {
      fence(d, i, op);
      if (!i.has("proxy")) // membar.proxy orders kinds of addresses that are one here
        op.run = runMemoryFence;
      return true;
    };
  table["fence.proxy"] = [](Decoder &d, const Instruction &i, Op &op) {
    fence(d, i, op);
    if (i.has("async") || i.has("async.global"))
      op.run = runProxyFence;
    return true;
  };
  table["fence.mbarrier_init"] = [](Decoder &d, const Instruction &i, Op &op) {
    fence(d, i, op);
    op.run = runInitFence;
    return true;
  };
  table["griddepcontrol"] = fence;
  table["setmaxnreg"] = [](Decoder &d, const Instruction &i, Op &op) {
    s64 count = 0;
    fence(d, i, op);
    op.run = runSetRegisters;
    op.flag = i.has("inc");
    if (!d.immediate(i.operands[0], count))
      return false;
    op.imm = count;
    return (count >= 24 && count <= 256 && count % 8 == 0) || d.refuse("takes 24 to 256 registers, in steps of 8");
  };
  table["nanosleep"] = [](Decoder &, const Instruction &, Op &op) {
    op.run = runSleep;
    op.pipe = Pipe::sync;
    return true;
  };
}

void addControlOps(OpTable &table) {
  for (std::string_view name : {"bra", "brx.idx", "call", "ret", "exit", "trap"})
    table[name] = [](Decoder &d, const Instruction &i, Op &op) { return d.decodeControl(i, op); };
}

const OpTable &opTable() {
  static const OpTable *table = [] {
    auto *made = new OpTable;
    addIntegerOps(*made);
    addBitOps(*made);
    addFloatOps(*made);
    addHalfOps(*made);
    addCompareOps(*made);
    addConvertOps(*made);
    addMoveOps(*made);
    addMemoryOps(*made);
    addAtomicOps(*made);
    addControlOps(*made);
    addWarpOps(*made);
    addBarrierOps(*made);
    addMatrixMoveOps(*made);
    addMatrixOps(*made);
    addWmmaOps(*made);
    addAsyncOps(*made);
    addMbarrierOps(*made);
    addBulkOps(*made);
    addRemoteOps(*made);
    addWgmmaOps(*made);
    return made;
  }();
  return *table;
}

} // namespace tessera::vgpu
