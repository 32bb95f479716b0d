// The report of a kernel that hangs: every fragment of every warp, where it is and what it waits for.
#include "runtime/vgpu/exec/block.h"

namespace tessera::vgpu {

std::string Worker::waitOf(const Warp &w, const Fragment &f) const {
  auto number = [](auto n) { return std::to_string(n); };
  switch (f.state) {
  case Fragment::State::barrier: {
    const Barrier &b = w.block->barriers[f.waitFor];
    uint32_t arrived = 0;
    for (uint32_t lanesOf : b.arrived)
      arrived += uint32_t(__builtin_popcount(lanesOf));
    return "waits for barrier " + number(f.waitFor) + ", where " + number(arrived) + " of " +
           (b.all ? "all " + number(w.block->liveThreads) : number(b.expected)) + " threads have arrived";
  }
  case Fragment::State::converge:
    return "waits for the other lanes of its warp to reach the same instruction";
  case Fragment::State::clusterBarrier:
    return "waits for the cluster, of which " + number(w.block->cluster[0]->clusterArrived) + " threads have arrived";
  case Fragment::State::warpgroup:
    return "waits for the other warps of its warpgroup to issue the wgmma";
  case Fragment::State::registers:
    return "waits for registers: " + number(w.block->freeRegisters) + " of the block are free";
  case Fragment::State::ready:
    break;
  }
  if (!w.poll.owner)
    return "polls, or runs without end";
  auto found = w.poll.owner->mbarriers.find(w.poll.offset);
  std::string text =
      "waits for the mbarrier at shared offset " + number(w.poll.offset) +
      (w.poll.owner == w.block ? "" : " of block " + number(w.poll.owner->clusterRank) + " of the cluster");
  if (found == w.poll.owner->mbarriers.end())
    return text + ", which is not initialised any more";
  const Mbarrier &m = found->second;
  return text + " to complete a phase of parity " + number(w.poll.phase & 1) + ": it is in phase " + number(m.phase) +
         ", " + number(m.pending) + " of " + number(m.count) + " arrivals and " + number(m.transactions) +
         " bytes are missing";
}

void Worker::reportDeadlock() {
  const Program &program = *launch->program;
  Warp *culprit = nullptr;
  size_t waiting = 0;
  constexpr size_t mostLines = 128; // of a block of 32 warps that diverged
  std::string lines;
  bool parted = false;
  for (Block &b : blocks)
    for (Warp &w : b.warps)
      for (const Fragment &f : w.fragments) {
        if (!b.started)
          continue;
        if (!culprit) {
          culprit = &w;
          w.pc = f.pc + 1;
        }
        parted |= f.state == Fragment::State::converge;
        if (++waiting > mostLines)
          continue;
        const Op &op = program.code[std::min<size_t>(f.pc, program.code.size() - 1)];
        const Source &source = program.sources[op.source];
        char mask[16];
        std::snprintf(mask, sizeof mask, "0x%08x", f.mask);
        lines += "\n    block (" + std::to_string(b.id[0]) + "," + std::to_string(b.id[1]) + "," +
                 std::to_string(b.id[2]) + ") warp " + std::to_string(w.index) + " lanes " + mask + " at PTX line " +
                 std::to_string(source.line);
        if (source.loc >= 0) {
          const ptx::Location &loc = program.module->locations[size_t(source.loc)];
          auto file = program.module->files.find(loc.file);
          if (file != program.module->files.end())
            lines += " (" + file->second + ":" + std::to_string(loc.line) + ")";
        }
        lines += " " + waitOf(w, f) + ";";
      }
  if (waiting > mostLines)
    lines += "\n    and " + std::to_string(waiting - mostLines) + " more";
  if (culprit)
    report(*culprit, Fault::deadlock, uint32_t(__builtin_ctz(culprit->fragments[0].mask | 1u << 31)), 0,
           "no warp can go on" + std::string(parted ? ", and lanes of one warp wait at different instructions" : "") +
               ":" + lines);
}

} // namespace tessera::vgpu
