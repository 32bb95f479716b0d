// One access of a lane to shared memory against the shadow, and the sentence when it is wrong.
#include "runtime/vgpu/exec/access.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
using Verdict = Shadow::Verdict;

[[gnu::cold]] bool report(Warp &w, Block &block, u32 lane, u64 at, const Shadow::Answer &answer, SharedUse use) {
  std::string where = "shared memory at offset " + std::to_string(at), other = block.agentName(answer.other);
  if (&block != w.block)
    where += " of block " + std::to_string(block.clusterRank) + " of the cluster";
  bool engine = answer.other >= block.engineAgent - block.clusterRank, self = answer.other == w.viewer.agent;
  std::string who = self ? "lane " + std::to_string(answer.otherLane) + " of the same warp" : other;
  std::string missing = self                ? ", with no bar.warp.sync between"
                        : &block != w.block ? ", with no barrier.cluster or mbarrier between"
                                            : ", with no barrier between";
  Fault fault = Fault::race;
  std::string what;
  switch (answer.verdict) {
  case Verdict::uninitialised:
    fault = Fault::uninitialised;
    what = "read of " + where + " that nobody in the block has written";
    break;
  case Verdict::readAfterWrite:
    if (engine) {
      fault = Fault::missingWait;
      what = "reads " + where +
             " that an asynchronous copy wrote, without having waited for its mbarrier: a wait is missing";
    } else {
      what = "reads " + where + " that " + who + " wrote" + missing;
    }
    break;
  case Verdict::writeAfterWrite:
    fault = engine ? Fault::missingWait : fault;
    what = "writes " + where + " that " + who + " wrote" +
           (engine ? ", without having waited for it: a wait is missing" : missing);
    break;
  case Verdict::writeAfterRead:
    fault = engine ? Fault::missingWait : fault;
    what = "writes " + where + " that " + who + " reads" + (engine ? ", with no order after the wait for it" : missing);
    break;
  case Verdict::inFlight:
    fault = Fault::missingWait;
    what = "touches " + where + " while an asynchronous copy that " + who + " started is in flight; a wait is missing";
    break;
  case Verdict::unfenced:
    fault = Fault::missingFence;
    what = "the async proxy " + std::string(use == SharedUse::readAsync ? "reads " : "writes ") + where + " that " +
           who + " wrote; fence.proxy.async is missing between";
    break;
  case Verdict::mbarrier:
    fault = Fault::mbarrier;
    what = "overwrites the mbarrier at " + where + "; mbarrier.inval must come first";
    break;
  case Verdict::fine:
    return true;
  }
  w.fail(fault, lane, at, what);
  return false;
}
} // namespace

bool checkSharedClosely(Warp &w, Block &block, u32 lane, u64 offset, u32 bytes, SharedUse use, u32 *rewrites) {
  if (!w.launch->options.checkShared)
    return true;
  Shadow &shadow = block.shadow;
  Viewer remote, &by = &block == w.block ? w.viewer : remote = w.viewer;
  by.lane = lane;
  by.lanes = w.laneClock.empty() ? nullptr : &w.laneClock[lane * lanes];
  by.fenced = w.proxyView.empty() ? nullptr : &w.proxyView;
  if (&block != w.block) {
    by.column = shadow.warps + 1;
    u32 first = block.shadow.firstAgent;
    bool started = w.clusterWaited || std::any_of(by.clock + first, by.clock + first + shadow.warps,
                                                  [&](u32 known) { return known > shadow.begin; });
    if (!started) {
      w.fail(Fault::race, lane, offset,
             "uses shared memory of block " + std::to_string(block.clusterRank) +
                 " of the cluster before it is known to run; a barrier.cluster must come first");
      return false;
    }
    block.remoteUses[by.agent] = {by.now, lane};
  }
  bool writes = use == SharedUse::write || use == SharedUse::atomicWrite || use == SharedUse::atomicUpdate ||
                use == SharedUse::beginAsync || use == SharedUse::beginCopy || use == SharedUse::beginReduce ||
                use == SharedUse::beginReduceAsync;
  if (block.asyncReads && writes)
    for (u64 chunk = offset / 16; chunk <= (offset + bytes - 1) / 16; ++chunk)
      if (block.asyncReaders[chunk]) {
        w.fail(Fault::missingWait, lane, std::max(offset, chunk * 16),
               "writes shared memory at offset " + std::to_string(std::max(offset, chunk * 16)) +
                   " while an asynchronous operation may still read it; " +
                   "wgmma.wait_group or cp.async.bulk.wait_group.read is missing");
        return false;
      }
  // Whole words that are written without any doubt.
  u64 at = offset;
  if ((use == SharedUse::write || use == SharedUse::beginCopy) && ((offset | bytes) & 3) == 0 && &block == w.block) {
    u16 flags = use == SharedUse::write ? Shadow::genericFlag : u16(Shadow::genericFlag | Shadow::pendingFlag);
    at = 4 * shadow.writeWords(offset >> 2, (offset + bytes) >> 2, by, flags);
  }
  while (at < offset + bytes) {
    u64 word = at >> 2, from = at & 3, n = std::min<u64>(4 - from, offset + bytes - at);
    u8 mask = u8(((1u << n) - 1) << from);
    Shadow::Answer answer;
    switch (use) {
    case SharedUse::read:
    case SharedUse::atomicRead:
      answer = shadow.read(word, mask, by, use == SharedUse::atomicRead);
      break;
    case SharedUse::write:
    case SharedUse::atomicWrite:
      answer = shadow.write(word, mask, by, use == SharedUse::atomicWrite);
      break;
    case SharedUse::atomicUpdate:
      if (shadow.cells[word].writeClock < shadow.begin || (shadow.cells[word].valid() & mask) != mask)
        answer = {Verdict::uninitialised};
      else
        answer = shadow.write(word, mask, by, true);
      break;
    case SharedUse::beginAsync:
    case SharedUse::beginCopy:
      answer = shadow.beginAsync(word, mask, by, use == SharedUse::beginAsync);
      break;
    case SharedUse::beginReduce:
    case SharedUse::beginReduceAsync:
      answer = shadow.beginReduce(word, mask, by, use == SharedUse::beginReduceAsync);
      break;
    case SharedUse::readAsync:
      answer = shadow.readAsync(word, mask, by);
      break;
    }
    if (answer.verdict != Verdict::fine) [[unlikely]] {
      // Lanes of one instruction may store one value to one place: the store itself compares.
      if (rewrites && answer.verdict == Verdict::writeAfterWrite && answer.other == by.agent)
        *rewrites |= 1u << lane;
      else
        return report(w, block, lane, at, answer, use);
    }
    at += n;
  }
  return true;
}

} // namespace tessera::vgpu
