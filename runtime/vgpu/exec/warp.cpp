// The dispatch loop of a warp.
#include "runtime/vgpu/exec/warp.h"
#include "runtime/vgpu/exec/block.h"
#include <algorithm>

namespace tessera::vgpu {

void Warp::save() {
  if (current >= fragments.size())
    return; // it ended, or waits elsewhere
  Fragment &f = fragments[current];
  f.mask = active;
  f.pc = pc;
}

bool Warp::pick() {
  size_t count = fragments.size();
  for (size_t i = 1; i <= count; ++i) {
    size_t at = (current + i) % count;
    if (fragments[at].state != Fragment::State::ready)
      continue;
    current = at;
    active = fragments[at].mask;
    pc = fragments[at].pc;
    return true;
  }
  return false;
}

void Warp::fail(Fault fault, uint32_t lane, uint64_t address, std::string message) {
  stop = true;
  worker->report(*this, fault, lane, address, std::move(message));
}

void runWarp(Warp &warp, uint32_t slice) {
  const Op *code = warp.launch->program->code.data();
  Worker &worker = *warp.worker;
  OpCount *counts = worker.counts.data();
  const uint32_t *issue = warp.launch->pace.issue.data();
  warp.stop = false;
  warp.idle = false;
  uint32_t done = 0;
  uint64_t executed = 0;
  while (true) {
    const Op &op = code[warp.pc];
    uint32_t mask = warp.active;
    if (op.guard >= 0)
      mask &= op.guardNegated ? ~warp.predicates[op.guard] : warp.predicates[op.guard];
    OpCount &count = counts[warp.pc];
    warp.time.now += issue[warp.pc];
    ++warp.pc;
    ++done;
    if (mask == 0 && !op.whole) {
      ++count.skipped;
      continue;
    }
    ++count.issues;
    uint32_t active = uint32_t(__builtin_popcount(mask));
    count.lanes += active;
    executed += active;
    warp.mask = mask;
    op.run(warp, op);
    if (warp.stop || (done >= slice && op.pipe == Pipe::control))
      break;
  }
  warp.instructions += done;
  warp.sincePoll = warp.idle ? 0 : std::min(warp.sincePoll + done, ~0u / 2);
  worker.threadInstructions += executed;
  worker.warpInstructions += done;
}

} // namespace tessera::vgpu
