// Named barriers of a block (ISA 9.7.13.1): arrival, completion, reductions, what exited threads mean.
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/ops.h"
#include <utility>

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
  for (const auto *list : {&b.waiters, &b.arrivals})
    for (const Barrier::Waiter &other : *list)
      if (op.x && other.warp == &warp && other.op != &op) {
        warp.fail(Fault::divergent, uint32_t(__builtin_ctz(warp.mask)), number,
                  "lanes of one warp arrive at barrier " + std::to_string(number) +
                      " by different .aligned instructions; all lanes of the warp must execute the same one");
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
  b.latest = std::max(b.latest, warp.time.now);
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
  for (const auto *list : {&b.waiters, &b.arrivals})
    for (const Barrier::Waiter &w : *list)
      if (w.op->x && (w.warp->alive() & ~b.arrived[w.warp->index])) {
        w.warp->pc = uint32_t(w.op - launch->program->code.data()) + 1;
        w.warp->fail(Fault::divergent, uint32_t(__builtin_ctz(w.mask)), number,
                     "barrier " + std::to_string(number) +
                         " completes with only some lanes of the warp; all of them must execute an .aligned barrier");
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
    waitUntil(*w.warp, Wait::barrier, uint32_t(w.op - launch->program->code.data()), done.latest);
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
  liveThreads -= uint32_t(__builtin_popcount(which));
  if (launch->options.checkShared && !checkExit(warp, which))
    return;
  for (uint32_t n = 0; n < 16; ++n)
    if (!barriers[n].arrived.empty()) {
      barriers[n].latest = std::max(barriers[n].latest, warp.time.now);
      tryComplete(n);
    }
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
  clusterCompleted = clusterClock;
  clusterReady = std::exchange(clusterLatest, 0);
  for (Block *b : cluster)
    for (Warp &w : b->warps)
      for (Fragment &f : w.fragments)
        if (f.state == Fragment::State::clusterBarrier)
          f.state = Fragment::State::ready; // and waits again, this time in vain
}

// What must not be open when threads end: copies out of shared memory; with the block's last thread, copies into it and
// accesses by others of the cluster.
bool Block::checkExit(Warp &warp, uint32_t which) {
  for (const Warp::BulkRead &read : warp.bulkReads)
    if (which >> read.lane & 1) {
      warp.fail(Fault::missingWait, read.lane, read.offset,
                "the thread ends while its bulk copy of shared memory at offset " + std::to_string(read.offset) +
                    " may still be reading it; cp.async.bulk.wait_group is missing");
      return false;
    }
  exitClock.join(warp.clock);
  if (liveThreads)
    return true;
  for (const auto &[offset, m] : mbarriers)
    if ((m.copied && !m.observed) || m.inFlight || !m.regions.empty()) {
      warp.fail(Fault::missingWait, 0, offset,
                "the block ends while an asynchronous copy into its shared memory, which the mbarrier at offset " +
                    std::to_string(offset) + " counts, has not been waited for");
      return false;
    }
  for (size_t i = 0; i < remoteUses.size(); ++i)
    if (remoteUses[i].first > exitClock.of(uint32_t(i), remoteUses[i].second)) {
      warp.fail(Fault::race, 0, 0,
                "the block ends while " + agentName(uint32_t(i)) +
                    " may still use its shared memory; a barrier.cluster is missing");
      return false;
    }
  return true;
}

} // namespace tessera::vgpu
