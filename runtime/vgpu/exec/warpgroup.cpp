// wgmma in flight (ISA 9.7.15): the four warps of a warpgroup issue each operation; it is complete for a warp when
// that warp has waited for its group and all four have issued it. Until then its registers and its shared memory are
// not to be touched. And setmaxnreg (ISA 9.7.19.5).
#include "runtime/vgpu/exec/warpgroup.h"
#include "runtime/vgpu/exec/resources.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
const RegisterGuard *guardOf(const Warp &w) {
  const Program &program = *w.launch->program;
  u32 which = program.guardAt.empty() ? 0 : program.guardAt[w.pc - 1];
  return which ? &program.guards[which] : nullptr;
}

void wake(Block &block, u32 first, u32 count, Fragment::State state) {
  for (u32 k = first; k < std::min<u32>(first + count, u32(block.warps.size())); ++k)
    for (Fragment &f : block.warps[k].fragments)
      if (f.state == state)
        f.state = Fragment::State::ready;
}
} // namespace

bool issueWgmma(Warp &w, const Op &op, u64 descriptorA, u64 descriptorB) {
  Block &block = *w.block;
  if (w.index / 4 * 4 + 4 > block.warps.size()) {
    w.fail(Fault::divergent, 0, w.index, "wgmma needs four warps, and this is one of an incomplete warpgroup");
    return false;
  }
  Warpgroup &group = block.warpgroups[w.index / 4];
  u64 number = w.wgmmaIssued++;
  bool first = number == group.first + group.records.size();
  if (first)
    group.records.push_back({w.pc, 0, 0, {descriptorA, descriptorB}, {}});
  WgmmaRecord &record = group.records[size_t(number - group.first)];
  if (record.pc != w.pc || record.descriptors[0] != descriptorA || record.descriptors[1] != descriptorB) {
    w.fail(Fault::divergent, 0, descriptorB,
           record.pc == w.pc ? "the matrix descriptors differ between the warps of the warpgroup"
                             : "the warps of the warpgroup issue different wgmma instructions");
    return false;
  }
  record.issued |= 1u << w.index % 4;
  joinGroup(w, Wait::wgmma, tensorTime(w));
  wake(block, w.index / 4 * 4, 4, Fragment::State::warpgroup);
  const RegisterGuard *guard = w.launch->options.checkShared ? guardOf(w) : nullptr;
  if (!guard)
    return true;
  if (!w.wgmmaFence) {
    w.fail(Fault::missingFence, 0, 0, "the warp's first wgmma has no wgmma.fence before it");
    return false;
  }
  for (bool accumulators : {true, false})
    for (u32 r : accumulators ? guard->accumulators : guard->fragments) {
      Warp::WgmmaRegister &reg = w.wgmmaRegisters[r];
      bool otherShape = accumulators && reg.usedBy > w.wgmmaFenced && reg.shape && reg.shape != op.x;
      if (reg.touched > w.wgmmaFence || otherShape) {
        w.fail(Fault::missingFence, 0, r,
               std::string(accumulators ? "an accumulator" : "a register of A") +
                   (otherShape ? " was used by a wgmma of another shape" : " was used by another instruction") +
                   " since the last wgmma.fence; wgmma.fence is missing before this wgmma");
        return false;
      }
      reg.usedBy = number + 1;
      reg.shape = accumulators ? op.x : 0;
    }
  return true;
}

void readByWgmma(Warp &w, u32 offset) {
  Warpgroup &group = w.block->warpgroups[w.index / 4];
  group.records[size_t(w.wgmmaIssued - 1 - group.first)].chunks.push_back(offset);
  w.block->countReads(offset, 16, 1);
}

void runWgmmaFence(Warp &w, const Op &) {
  if (!w.converge(w.alive()))
    return;
  w.wgmmaFence = ++w.touches;
  ++w.touches;
  w.wgmmaFenced = w.wgmmaIssued;
}

void runWgmmaCommit(Warp &w, const Op &) {
  if (!w.converge(w.alive()))
    return;
  w.wgmmaGroups.push_back(w.wgmmaIssued);
  commitGroup(w, Wait::wgmma);
}

void runWgmmaWait(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  if (w.wgmmaGroups.size() <= u64(op.imm))
    return;
  waitGroups(w, Wait::wgmma, u64(op.imm));
  Block &block = *w.block;
  u64 target = w.wgmmaGroups[w.wgmmaGroups.size() - 1 - size_t(op.imm)];
  if (target <= w.wgmmaDone)
    return;
  Warpgroup &group = block.warpgroups[w.index / 4];
  u32 base = w.index / 4 * 4;
  for (u32 k = base; k < base + 4; ++k)
    if (block.warps[k].wgmmaIssued < target)
      return w.park(Fragment::State::warpgroup);
  Shadow &shadow = block.shadow;
  u32 &known = w.clock.times[block.engineAgent];
  for (u64 n = std::max(w.wgmmaDone, group.first); n < target; ++n) {
    WgmmaRecord &record = group.records[size_t(n - group.first)];
    if (!record.doneTime) {
      record.doneTime = block.engineTick();
      for (u32 offset : record.chunks) {
        block.countReads(offset, 16, -1);
        for (u32 word = offset / 4; word < offset / 4 + 4; ++word)
          shadow.endRead(word, shadow.warps, record.doneTime, 1);
      }
      record.chunks = {};
    }
    known = std::max(known, record.doneTime);
  }
  w.wgmmaDone = target;
  u64 done = ~0ull;
  for (u32 k = base; k < base + 4; ++k)
    done = std::min(done, block.warps[k].wgmmaDone);
  while (group.first < done)
    group.records.pop_front(), ++group.first;
  w.wgmmaGroups.erase(w.wgmmaGroups.begin(), w.wgmmaGroups.end() - ptrdiff_t(op.imm));
}

u32 launchRegisters(const Program &program) {
  const ptx::Function &f = *program.function;
  bool fixed = f.maxRegisters || (f.minBlocksPerSm && (f.maxThreads[0] || f.requiredThreads[0]));
  return fixed ? registerBound(f) / 8 * 8 : 0;
}

void runSetRegisters(Warp &w, const Op &op) {
  Block &block = *w.block;
  if (!w.converge(w.alive()) || block.freeRegisters < 0)
    return;
  u32 wanted = u32(op.imm), held = w.heldRegisters;
  if (op.flag ? wanted < held : wanted > held)
    return w.fail(Fault::illegal, 0, wanted,
                  std::string("setmaxnreg.") + (op.flag ? "inc" : "dec") + " to " + std::to_string(wanted) +
                      " registers, and the warp has " + std::to_string(held) + " a thread");
  s64 more = (s64(wanted) - held) * lanes;
  if (more > block.freeRegisters) {
    s64 total = block.freeRegisters;
    for (const Warp &other : block.warps)
      total += s64(other.heldRegisters) * lanes;
    if (s64(wanted) * lanes > total)
      return w.fail(Fault::illegal, 0, wanted, "setmaxnreg asks for more registers than the block was launched with");
    return w.park(Fragment::State::registers);
  }
  block.freeRegisters -= more;
  w.heldRegisters = wanted;
  if (more < 0)
    wake(block, 0, u32(block.warps.size()), Fragment::State::registers);
}

} // namespace tessera::vgpu
