// Named barriers of a block (ISA 9.7.13.1): arrival, completion, reductions, what exited threads mean.
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

void Block::arrive(Warp &warp, const Op &op, uint32_t number, uint32_t threads, bool wait) {
  if (number >= 16) {
    warp.fail(Fault::barrier, 0, number, "barrier number " + std::to_string(number) + ", there are 16");
    return;
  }
  if (threads % lanes) {
    warp.fail(Fault::barrier, 0, number,
              "a barrier of " + std::to_string(threads) + " threads: not a multiple of the warp size");
    return;
  }
  Barrier &b = barriers[number];
  if (b.arrived.empty()) {
    b.arrived.assign(warps.size(), 0);
    b.expected = threads;
    b.all = threads == 0;
  } else if (b.expected != threads) {
    warp.fail(Fault::barrier, 0, number,
              "barrier " + std::to_string(number) + " expects " +
                  (b.all ? std::string("all threads") : std::to_string(b.expected) + " threads") +
                  " by those who came first, and " + (threads ? std::to_string(threads) : std::string("all")) +
                  " by this warp");
    return;
  }
  if (b.arrived[warp.index] & warp.mask) {
    warp.fail(Fault::barrier, uint32_t(__builtin_ctz(b.arrived[warp.index] & warp.mask)), number,
              "the thread arrives twice at barrier " + std::to_string(number) + " before it completes");
    return;
  }
  b.arrived[warp.index] |= warp.mask;
  release(warp, b.clock);
  Barrier::Waiter who{&warp, warp.mask, &op, 0};
  if (op.flag2) // bar.red: the predicate
    who.values = (op.b == nowhere ? allLanes : warp.predicates[op.b]) ^ (op.c ? allLanes : 0);
  if (wait) {
    b.waiters.push_back(who);
    warp.park(Fragment::State::barrier);
    warp.fragments[warp.current].waitFor = number;
    warp.save();
    warp.current = ~size_t(0);
  } else {
    b.arrivals.push_back(who);
  }
  tryComplete(number);
}

bool Block::tryComplete(uint32_t number) {
  Barrier &b = barriers[number];
  if (b.arrived.empty())
    return false;
  uint32_t arrived = 0;
  for (Warp &w : warps) {
    uint32_t here = b.arrived[w.index];
    arrived += uint32_t(__builtin_popcount(here));
    // Exited and never-launched lanes count with their warp.
    if (here && here == w.alive())
      arrived += lanes - uint32_t(__builtin_popcount(here));
  }
  if (b.all) {
    for (Warp &w : warps)
      if (b.arrived[w.index] != w.alive())
        return false;
  } else if (arrived < b.expected) {
    return false;
  }
  Barrier done = std::move(b);
  b = {};
  uint32_t count = 0, every = 1, any = 0;
  for (const auto *list : {&done.waiters, &done.arrivals})
    for (const Barrier::Waiter &w : *list) {
      count += uint32_t(__builtin_popcount(w.values & w.mask));
      every &= (w.values & w.mask) == w.mask;
      any |= (w.values & w.mask) != 0;
    }
  for (const Barrier::Waiter &w : done.waiters) {
    acquire(*w.warp, done.clock);
    for (Fragment &f : w.warp->fragments)
      if (f.state == Fragment::State::barrier && f.waitFor == number && f.mask == w.mask) {
        f.state = Fragment::State::ready;
        ++f.pc;
        break;
      }
    if (!w.op->flag2)
      continue;
    uint32_t keep = w.warp->mask;
    w.warp->mask = w.mask;
    if (w.op->flag2 == 1) {
      uint32_t values[lanes];
      std::fill(values, values + lanes, count);
      w.warp->put(w.op->d, values);
    } else {
      w.warp->putPredicate(w.op->d, (w.op->flag2 == 2 ? every : any) ? allLanes : 0);
    }
    w.warp->mask = keep;
  }
  return true;
}

void Block::lanesExited(Warp &warp, uint32_t which) {
  (void)warp;
  liveThreads -= uint32_t(__builtin_popcount(which));
  for (uint32_t n = 0; n < 16; ++n)
    if (!barriers[n].arrived.empty())
      tryComplete(n);
  cluster[0]->tryCompleteCluster();
}

// barrier.cluster: every live thread of every block has arrived.
void Block::tryCompleteCluster() {
  uint32_t alive = 0;
  for (Block *b : cluster)
    alive += b->liveThreads;
  if (clusterArrived == 0 || clusterArrived < alive)
    return;
  clusterArrived = 0;
  ++clusterPhase;
  // Orders everything before with everything after: each warp knows all of its own block.
  for (Block *b : cluster) {
    std::vector<uint32_t> all;
    for (Warp &w : b->warps)
      b->release(w, all);
    for (Warp &w : b->warps)
      b->acquire(w, all);
    for (Warp &w : b->warps)
      for (Fragment &f : w.fragments)
        if (f.state == Fragment::State::clusterBarrier) {
          f.state = Fragment::State::ready;
          ++f.pc;
        }
  }
}

} // namespace tessera::vgpu
