#include "runtime/vgpu/exec/pace.h"
#include "runtime/vgpu/exec/report.h"
#include <algorithm>
#include <cmath>

namespace tessera::vgpu {
namespace {
size_t slotOf(Wait kind) { return kind == Wait::copyAsync ? 0 : kind == Wait::bulk ? 1 : 2; }

// Lanes of an SM that the operation's pipe has.
double lanesOf(const Op &op, const Chip &chip) {
  const PipeLanes pipes = pipeLanes(chip.arch);
  switch (op.pipe) {
  case Pipe::fma:
    return chip.rates.fmaPerClockSm;
  case Pipe::half:
    return pipes.half;
  case Pipe::alu:
  case Pipe::convert:
    return pipes.integer;
  case Pipe::special:
    return pipes.special;
  case Pipe::wide:
    return pipes.fp64;
  case Pipe::shared:
  case Pipe::global:
  case Pipe::local:
  case Pipe::atomic:
    return 32;
  default:
    return 128;
  }
}

// FLOP a clock and SM relative to f16.
double tensorShare(TensorKind kind, uint32_t arch) {
  switch (kind) {
  case TensorKind::tf32:
    return 0.5;
  case TensorKind::f64:
    return arch == 80 || arch == 90 ? 1.0 / 16 : 1.0 / 256;
  case TensorKind::fp8:
  case TensorKind::int8:
    return 2;
  case TensorKind::int4:
    return 4;
  case TensorKind::b1:
    return 16;
  default:
    return 1;
  }
}
} // namespace

std::string_view nameOf(Wait cause) {
  constexpr std::string_view names[] = {"bar.sync", "barrier.cluster", "mbarrier", "cp.async", "bulk", "wgmma"};
  static_assert(std::size(names) == size_t(Wait::count));
  return names[size_t(cause)];
}

void Pace::prepare(const Program &program, const Chip &chip, const Occupancy &occupancy, uint64_t blocks) {
  const uint64_t slots = std::max(1u, occupancy.blocksPerSm);
  const auto resident = double(std::clamp<uint64_t>((blocks + chip.sms - 1) / chip.sms, 1, slots));
  const double warps = std::max(1.0, resident * occupancy.warpsPerBlock / 4); // of a scheduler
  issue.resize(program.code.size());
  work.assign(program.code.size(), 0);
  for (size_t i = 0; i < program.code.size(); ++i) {
    const Op &op = program.code[i];
    double clocks = op.pipe == Pipe::none ? 0 : std::max(2.0, warps * lanes / (lanesOf(op, chip) / 4));
    if (op.pipe == Pipe::tensor) {
      const double rate = chip.rates.halfTensorFlopPerClockSm / 4 * tensorShare(tensorKindOf(program, op), chip.arch);
      const double busy = double(op.imm) / rate;
      const Source &source = program.sources[op.source];
      const bool isAsync = source.instruction >= 0 &&
                           program.module->functions[size_t(source.function)].body[size_t(source.instruction)].opcode ==
                               "wgmma.mma_async";
      work[i] = uint32_t(std::lround(busy * std::max(1.0, resident) * unit));
      clocks = isAsync ? clocks : std::max(clocks, busy * warps);
    }
    issue[i] = uint32_t(std::lround(clocks * unit));
  }
  copyBytes = chip.rates.l2BytesPerClock / chip.sms / resident;
}

void Paces::add(const Paces &o) {
  for (size_t i = 0; i < waits.size(); ++i)
    waits[i].waits += o.waits[i].waits, waits[i].time += o.waits[i].time;
  byOperation.resize(std::max(byOperation.size(), o.byOperation.size()));
  for (size_t i = 0; i < o.byOperation.size(); ++i)
    byOperation[i].waits += o.byOperation[i].waits, byOperation[i].time += o.byOperation[i].time;
  warpTime += o.warpTime, blockTime += o.blockTime, blocks += o.blocks;
  if (!o.firstBlock.empty())
    events = o.events, firstBlock = o.firstBlock;
}

void Paces::ended(const Block &block) {
  uint64_t last = 0;
  for (const Warp &w : block.warps) {
    warpTime += w.time.now;
    last = std::max(last, w.time.now);
    if (block.linear == 0)
      firstBlock.push_back(w.time.now);
  }
  blockTime += last;
  ++blocks;
}

void waitUntil(Warp &w, Wait cause, uint32_t operation, uint64_t until) {
  if (until <= w.time.now)
    return;
  Paces &paces = w.worker->paces;
  const uint64_t time = until - w.time.now;
  for (WaitCount *count : {&paces.waits[size_t(cause)], &paces.byOperation[operation]})
    ++count->waits, count->time += time;
  if (w.block->linear == 0 && paces.events.size() < Paces::mostEvents)
    paces.events.push_back({w.index, operation, cause, w.time.now, until});
  w.time.now = until;
}

void pollFailed(Warp &w) {
  if (!w.time.polling)
    w.time.pollingSince = w.time.now;
  w.time.polling = true;
}

void pollSucceeded(Warp &w, uint64_t readyAt) {
  if (w.time.polling)
    w.time.now = w.time.pollingSince;
  w.time.polling = false;
  waitUntil(w, Wait::mbarrier, w.pc - 1, readyAt);
}

uint64_t copyTime(Warp &w, Block &block, uint64_t bytes) {
  uint64_t &until = block.time.copiesUntil;
  until = std::max(until, w.time.now) + uint64_t(double(bytes) * Pace::unit / w.launch->pace.copyBytes);
  return until + Pace::latency;
}

void joinGroup(Warp &w, Wait kind, uint64_t doneAt) {
  WarpTime::Groups &g = w.time.groups[slotOf(kind)];
  g.open = std::max(g.open, doneAt);
}

uint64_t tensorTime(Warp &w) {
  uint64_t &until = w.block->time.tensorUntil[w.index % 4];
  return until = std::max(until, w.time.now) + w.launch->pace.work[w.pc - 1];
}

void commitGroup(Warp &w, Wait kind) {
  WarpTime::Groups &g = w.time.groups[slotOf(kind)];
  g.done[g.committed++ % g.done.size()] = g.open;
}

void waitGroups(Warp &w, Wait kind, uint64_t mayStayOpen) {
  WarpTime::Groups &g = w.time.groups[slotOf(kind)];
  // Groups end in order; older ones than the ring remembers have ended long ago.
  if (mayStayOpen < g.committed && mayStayOpen < g.done.size())
    waitUntil(w, kind, w.pc - 1, g.done[(g.committed - 1 - mayStayOpen) % g.done.size()]);
}

} // namespace tessera::vgpu
