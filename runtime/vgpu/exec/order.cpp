// What happens before what (ISA 8, memory consistency model): vector clocks over the warps of a cluster and the async
// engines of its blocks, joined by barriers, mbarriers and fenced atomics; order among the lanes of a warp.
#include "runtime/vgpu/exec/access.h"
#include <algorithm>

namespace tessera::vgpu {

void Block::publish(const Warp &warp, uint32_t mask, VectorClock &into) const {
  into.join(warp.clock);
  u32 me = warp.viewer.agent, now = warp.viewer.now;
  if ((mask & warp.alive()) == warp.alive())
    return into.raise(me, now);
  VectorClock::Lanes some;
  some.agent = me;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(warp.lanesAtStart >> l & 1))
      some.times[l] = ~0u;
    if (!(mask >> l & 1))
      continue;
    some.times[l] = now;
    for (u32 k = 0; k < lanes && !warp.laneClock.empty(); ++k)
      some.times[k] = std::max(some.times[k], warp.laneClock[l * lanes + k]);
  }
  into.joinLanes(some);
  into.settle();
}

void Block::tick(Warp &warp) {
  ++warp.viewer.now;
  worker->nextClock = std::max(worker->nextClock, warp.viewer.now + 1);
}

void Block::acquire(Warp &warp, const VectorClock &from) const {
  if (!from.empty())
    warp.clock.join(from);
}

void Block::syncLanes(Warp &warp, uint32_t members) {
  u32 now = warp.viewer.now, alive = warp.alive();
  tick(warp);
  if ((members & alive) == alive) {
    warp.clock.raise(warp.viewer.agent, now);
    warp.laneClock.clear();
    return;
  }
  if (warp.laneClock.empty())
    warp.laneClock.assign(lanes * lanes, warp.clock.times[warp.viewer.agent]);
  u32 together[lanes] = {};
  for (u32 l = 0; l < lanes; ++l)
    for (u32 k = 0; k < lanes && (members >> l & 1); ++k)
      together[k] = members >> k & 1 ? now : std::max(together[k], warp.laneClock[l * lanes + k]);
  for (u32 l = 0; l < lanes; ++l)
    if (members >> l & 1)
      std::copy(together, together + lanes, &warp.laneClock[l * lanes]);
}

uint32_t Block::engineTick() {
  worker->nextClock = std::max(worker->nextClock, ++engineNow + 1);
  return engineNow;
}

void Block::countReads(uint32_t offset, uint32_t bytes, int by) {
  if (asyncReaders.empty())
    asyncReaders.assign(shared.size() / 16 + 1, 0);
  for (u32 chunk = offset / 16; chunk < (offset + bytes + 15) / 16; ++chunk)
    asyncReaders[chunk] = u16(asyncReaders[chunk] + by);
  asyncReads = u32(s32(asyncReads) + by);
}

std::string Block::agentName(uint32_t agent) const {
  u32 count = u32(warps.size()), size = u32(cluster.size());
  if (agent >= size * count)
    return "an asynchronous operation";
  std::string name = "warp " + std::to_string(agent % count);
  return agent / count == clusterRank ? name : name + " of block " + std::to_string(agent / count) + " of the cluster";
}

void memoryFence(Warp &w) {
  w.fenceClock.clear();
  w.block->release(w, w.fenceClock);
  w.block->acquire(w, w.pendingView);
}

// An atomic access hands on what its warp fenced before, and shows what others handed on: at once when it is itself an
// acquire or release, with the next fence when not.
void atomicOrder(Warp &w, Block &block, u32 lane, u32 word, const Access &x) {
  if (x.write && (x.order & Access::release)) {
    VectorClock mine;
    block.publish(w, 1u << lane, mine);
    block.tick(w);
    block.atomicClocks[word].join(mine);
  } else if (x.write && !w.fenceClock.empty()) {
    block.atomicClocks[word].join(w.fenceClock);
  }
  if (auto found = block.atomicClocks.find(word); x.read && found != block.atomicClocks.end()) {
    if (x.order & Access::acquire)
      block.acquire(w, found->second);
    else
      w.pendingView.join(found->second);
  }
}

} // namespace tessera::vgpu
