// What happens before what (ISA 8, memory consistency model): vector clocks over the warps of a cluster and the async
// engines of its blocks, joined by barriers, mbarriers and fenced atomics; order among the lanes of a warp.
#include "runtime/vgpu/exec/access.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
void join(std::vector<u32> &into, const std::vector<u32> &from) {
  if (into.size() < from.size())
    into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i)
    into[i] = std::max(into[i], from[i]);
}
} // namespace

void Block::publish(const Warp &warp, std::vector<uint32_t> &into) const {
  join(into, warp.clock);
  into[warp.viewer.agent] = std::max(into[warp.viewer.agent], warp.viewer.now);
}

void Block::tick(Warp &warp) {
  ++warp.viewer.now;
  worker->nextClock = std::max(worker->nextClock, warp.viewer.now + 1);
}

void Block::acquire(Warp &warp, const std::vector<uint32_t> &from) {
  for (size_t i = 0; i < from.size() && i < warp.clock.size(); ++i)
    warp.clock[i] = std::max(warp.clock[i], from[i]);
}

void Block::syncLanes(Warp &warp, uint32_t members) {
  u32 now = warp.viewer.now, alive = warp.alive();
  tick(warp);
  if ((members & alive) == alive) {
    warp.clock[warp.viewer.agent] = now;
    warp.laneClock.clear();
    return;
  }
  if (warp.laneClock.empty())
    warp.laneClock.assign(lanes * lanes, warp.clock[warp.viewer.agent]);
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
  w.block->publish(w, w.fenceClock);
  w.block->tick(w);
  w.block->acquire(w, w.pendingView);
}

// An atomic access hands on what its warp fenced before, and shows what others handed on: at once when it is itself an
// acquire or release, with the next fence when not.
void atomicOrder(Warp &w, Block &block, u32 word, const Access &x) {
  if (x.write && (x.order & Access::release)) {
    std::vector<u32> mine;
    block.publish(w, mine);
    block.tick(w);
    join(block.atomicClocks[word], mine);
  } else if (x.write && !w.fenceClock.empty()) {
    join(block.atomicClocks[word], w.fenceClock);
  }
  if (auto found = block.atomicClocks.find(word); x.read && found != block.atomicClocks.end()) {
    if (x.order & Access::acquire)
      block.acquire(w, found->second);
    else
      join(w.pendingView, found->second);
  }
}

} // namespace tessera::vgpu
