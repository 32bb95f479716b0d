// mbarrier objects (ISA 9.7.13.15): arrivals and bytes of a phase; waiting by state or by parity. Cluster barriers.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/async.h"
#include "runtime/vgpu/exec/families.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

constexpr s64 transactionLimit = (1 << 20) - 1;

void completeIfDone(Mbarrier &m, Block &owner) {
  if (m.pending || m.transactions)
    return;
  ++m.phase;
  m.pending = m.count;
  m.completedAt = m.readyAt;
  m.observed = m.copied = false;
  if (!m.regions.empty()) {
    // What the copies wrote is there for those who learn of this phase.
    u32 now = owner.engineTick();
    for (auto [offset, bytes] : m.regions)
      for (u32 word = offset / 4; word < (offset + bytes + 3) / 4; ++word)
        owner.shadow.endAsync(word, owner.engineAgent, 0, now, false);
    m.clock.times.resize(owner.agents);
    m.clock.raise(owner.engineAgent, now);
    m.copied = true;
    m.regions.clear();
  }
  m.completedClock = m.clock;
}

// A lane hands on what it did, and only that: lanes that arrive later may be of another phase. All lanes of a warp at
// once hand on all when the phase does not end among them.
void publishArrival(Warp &w, u32 lane, Mbarrier &m, bool again) {
  bool all = (w.mask & w.alive()) == w.alive() && m.pending > lanes;
  if (!all)
    w.block->publish(w, 1u << lane, m.clock);
  else if (!again)
    w.block->publish(w, w.mask, m.clock);
}

// Shared address of a lane's operand, generic ones included.
u32 sharedAddress(u64 address) { return u32(address); }

enum class Kind : u8 { init, invalidate, arrive, drop, expect, complete, test, parity };

// op.flag2: Kind; op.b: count, bytes, state or parity plane, or nowhere; op.c: expect_tx bytes; op.d: state or
// predicate.
void runMbarrier(Warp &w, const Op &op) {
  Access x;
  gatherAddresses(w, op, x);
  auto kind = Kind(op.flag2);
  alignas(64) u64 states[lanes] = {};
  u32 done = 0;
  const Mbarrier *seen = nullptr;
  u64 readyAt = 0;
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    u32 address = sharedAddress(x.address[l]);
    if (address & 7)
      return w.fail(Fault::misaligned, l, address, "an mbarrier is 8-byte aligned");
    if (kind == Kind::init) {
      u32 count = w.in<u32>(op.b)[l];
      if (address + 8 > w.block->shared.size())
        return w.fail(Fault::bounds, l, address, "the mbarrier is outside of shared memory");
      if (count == 0 || count > transactionLimit)
        return w.fail(Fault::mbarrier, l, address, "an mbarrier of " + std::to_string(count) + " arrivals");
      if (w.block->mbarriers.count(address))
        return w.fail(Fault::mbarrier, l, address,
                      "the mbarrier at offset " + std::to_string(address) + " is initialised a second time");
      Mbarrier &m = w.block->mbarriers[address];
      m.count = m.pending = count;
      m.initAgent = w.viewer.agent;
      m.initLane = l;
      m.offset = address;
      m.initClock = w.viewer.now;
      if (!checkShared(w, *w.block, l, address, 8, SharedUse::write))
        return;
      if (w.launch->options.checkShared)
        w.block->shadow.markMbarrier(address / 4, true), w.block->shadow.markMbarrier(address / 4 + 1, true);
      w.block->publish(w, 1u << l, m.clock);
      w.block->tick(w);
      continue;
    }
    Block *owner = nullptr;
    Mbarrier *m = mbarrierAt(w, l, address, owner);
    if (!m)
      return;
    switch (kind) {
    case Kind::invalidate:
      if (owner != w.block)
        return w.fail(Fault::mbarrier, l, address, "mbarrier.inval of another block's mbarrier");
      if (m->inFlight || m->transactions)
        return w.fail(Fault::mbarrier, l, address, "mbarrier.inval while copies are in flight that will tell it");
      owner->mbarriers.erase(address);
      if (w.launch->options.checkShared)
        owner->shadow.markMbarrier(address / 4, false), owner->shadow.markMbarrier(address / 4 + 1, false);
      break;
    case Kind::arrive:
    case Kind::drop: {
      u32 count = op.b == nowhere ? 1 : w.in<u32>(op.b)[l];
      states[l] = m->phase << 20 | m->pending;
      if ((op.flag & 2) && count >= m->pending)
        return w.fail(Fault::mbarrier, l, count, "an arrival with .noComplete would complete the phase");
      if (kind == Kind::drop)
        m->count -= std::min(m->count, count);
      if (count && !op.y)
        publishArrival(w, l, *m, m == seen);
      seen = m;
      if (!arriveAt(w, l, *m, *owner, count, op.c == nowhere ? 0 : s64(w.in<u32>(op.c)[l])))
        return;
      break;
    }
    case Kind::expect:
      if (!arriveAt(w, l, *m, *owner, 0, s64(w.in<u32>(op.b)[l])))
        return;
      break;
    case Kind::complete:
      if (!arriveAt(w, l, *m, *owner, 0, -s64(w.in<u32>(op.b)[l])))
        return;
      break;
    case Kind::test:
    case Kind::parity: {
      bool over =
          kind == Kind::parity ? (m->phase & 1) != (w.in<u32>(op.b)[l] & 1) : m->phase != w.in<u64>(op.b)[l] >> 20;
      done |= u32(over) << l;
      readyAt = std::max(readyAt, m->completedAt);
      if (!over)
        w.poll = {w.pc - 1, address & ((1u << clusterShift) - 1), owner,
                  kind == Kind::parity ? w.in<u32>(op.b)[l] & 1 : w.in<u64>(op.b)[l] >> 20};
      if (!over || m->phase == 0 || m == seen)
        break;
      if (!op.y)
        w.block->acquire(w, m->completedClock);
      m->observed = true;
      seen = m;
      break;
    }
    case Kind::init:
      break;
    }
  }
  if (kind == Kind::arrive || kind == Kind::drop)
    w.block->tick(w);
  if (kind == Kind::test || kind == Kind::parity) {
    w.putPredicate(op.d, done);
    if (done != w.mask) { // give the others a turn
      w.stop = w.idle = true;
      pollFailed(w);
    } else {
      pollSucceeded(w, readyAt);
    }
  } else if (op.x) {
    w.put(op.d, states);
  }
}

bool mbarrier(Decoder &d, const Instruction &i, Op &op, Kind kind) {
  bool waits = kind == Kind::test || kind == Kind::parity;
  bool arrives = kind == Kind::arrive || kind == Kind::drop;
  size_t at = waits || (arrives && i.operands[0].kind != Operand::Kind::address) ? 1 : 0;
  if (i.operands.size() <= at)
    return false;
  Space space = i.space() == Space::generic ? Space::generic : Space::shared;
  Decoder::Address a = d.address(i.operands[at], space);
  op.run = runMbarrier;
  op.pipe = Pipe::sync;
  op.a = a.plane;
  op.flag = a.wide;
  op.imm = a.offset;
  op.b = op.c = nowhere;
  op.flag2 = u8(kind);
  op.y = i.has("relaxed");
  if (arrives) {
    if (i.has("expect_tx"))
      op.c = d.in(i.operands[at + 1], Type::u32);
    else if (i.operands.size() > at + 1)
      op.b = d.in(i.operands[at + 1], Type::u32);
    if (op.b != nowhere && !i.has("noComplete") && d.arch < 90)
      return d.refuse("a count without .noComplete needs sm_90 or newer, the chip is sm_" + std::to_string(d.arch));
    op.flag |= i.has("noComplete") ? 2 : 0;
    if (i.has("noComplete") && op.b == nowhere)
      return d.refuse(".noComplete needs a count");
    op.x = at == 1 && i.operands[0].kind != Operand::Kind::sink;
    if (op.x)
      op.d = d.out(i.operands[0], Type::b64);
    return d.ok();
  }
  if (waits)
    op.d = d.predicateOut(i.operands[0]);
  if (kind != Kind::invalidate)
    op.b = d.in(i.operands[at + 1], kind == Kind::test ? Type::b64 : Type::u32);
  return d.ok();
}

// cp.async.mbarrier.arrive: the lane's copies are finished first, then it arrives.
void runCopyArrive(Warp &w, const Op &op) {
  Access x;
  gatherAddresses(w, op, x);
  for (u32 l = 0; l < lanes; ++l)
    w.openGroup[l] += w.mask >> l & 1;
  finishCopies(w, 0);
  for (u32 l = 0; l < lanes; ++l) {
    if (!(w.mask >> l & 1))
      continue;
    Block *owner = nullptr;
    Mbarrier *m = mbarrierAt(w, l, sharedAddress(x.address[l]), owner);
    if (!m)
      return;
    w.block->publish(w, 1u << l, m->clock);
    m->readyAt = std::max(m->readyAt, w.time.groups[0].open);
    if (!op.flag2) // without .noinc the pending count grows by one first
      ++m->pending;
    if (!arriveAt(w, l, *m, *owner, 1, 0))
      return;
  }
  w.block->tick(w);
}

// op.flag: relaxed, which hands on mbarriers that were initialised and fenced, and nothing else.
void runClusterArrive(Warp &w, const Op &op) {
  Block &first = *w.block->cluster[0];
  u32 me = w.viewer.agent;
  first.clusterInits.resize(w.block->agents);
  first.clusterInits[me] = std::max(first.clusterInits[me], first.initFences[me]);
  if (!op.flag)
    w.block->release(w, first.clusterClock);
  w.clusterSeen = first.clusterPhase;
  first.clusterArrived += u32(std::popcount(w.mask));
  first.clusterLatest = std::max(first.clusterLatest, w.time.now);
  first.tryCompleteCluster();
}
void runClusterWait(Warp &w, const Op &) {
  Block &first = *w.block->cluster[0];
  if (first.clusterPhase <= w.clusterSeen)
    return w.park(Fragment::State::clusterBarrier);
  w.block->acquire(w, first.clusterCompleted);
  waitUntil(w, Wait::cluster, w.pc - 1, first.clusterReady);
  w.initView = first.clusterInits;
  w.clusterWaited = true;
}
} // namespace

Mbarrier *mbarrierAt(Warp &w, u32 lane, u32 address, Block *&owner) {
  u32 rank = address >> clusterShift, offset = address & ((1u << clusterShift) - 1);
  owner = w.block;
  if (rank) {
    if (rank > w.block->cluster.size()) {
      w.fail(Fault::bounds, lane, address,
             "an mbarrier of block " + std::to_string(rank - 1) + ", which the cluster does not have");
      return nullptr;
    }
    owner = w.block->cluster[rank - 1];
  }
  auto found = owner->mbarriers.find(offset);
  if (found == owner->mbarriers.end()) {
    w.fail(Fault::mbarrier, lane, address,
           "there is no initialised mbarrier at shared offset " + std::to_string(offset));
    return nullptr;
  }
  const Mbarrier &m = found->second;
  bool known = m.initClock <= w.clock.of(m.initAgent, m.initLane) ||
               (m.initAgent < w.initView.size() && m.initClock <= w.initView[m.initAgent]);
  if (m.initAgent != w.viewer.agent && !known && w.launch->options.checkShared) {
    w.fail(Fault::race, lane, address,
           "uses the mbarrier at shared offset " + std::to_string(offset) + " that " + w.block->agentName(m.initAgent) +
               " initialises, with no barrier between");
    return nullptr;
  }
  if (rank && owner != w.block)
    owner->remoteUses[w.viewer.agent] = {w.viewer.now, lane};
  return &found->second;
}

bool arriveAt(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 count, s64 bytes) {
  m.transactions += bytes;
  if (m.transactions > transactionLimit || m.transactions < -transactionLimit) {
    w.fail(Fault::mbarrier, lane, u64(m.transactions), "the transaction count of the mbarrier leaves its range");
    return false;
  }
  if (count > m.pending) {
    w.fail(Fault::mbarrier, lane, count,
           std::to_string(count) + " arrivals where the phase misses " + std::to_string(m.pending));
    return false;
  }
  m.pending -= count;
  m.readyAt = std::max(m.readyAt, w.time.now);
  if (!m.pending && !m.transactions && m.phase && !m.observed && w.launch->options.checkShared) {
    w.fail(Fault::mbarrier, lane, m.offset,
           "completes phase " + std::to_string(m.phase) + " of the mbarrier at shared offset " +
               std::to_string(m.offset) + ", and nobody has waited for the phase before: who waits for it by parity " +
               "cannot tell them apart");
    return false;
  }
  completeIfDone(m, owner);
  return true;
}

bool completeCopy(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 offset, u32 bytes, bool generic) {
  if (!generic && m.initClock > owner.cluster[0]->initFences[m.initAgent] && w.launch->options.checkShared) {
    w.fail(Fault::missingFence, lane, offset,
           "a copy of the async proxy uses an mbarrier that " + w.block->agentName(m.initAgent) +
               " initialised without a fence after it; fence.mbarrier_init or fence.proxy.async is missing");
    return false;
  }
  if (m.transactions - bytes < -transactionLimit) {
    w.fail(Fault::mbarrier, lane, offset, "the transaction count of the mbarrier leaves its range");
    return false;
  }
  ++m.inFlight;
  w.worker->deliveries.push_back({&owner, m.offset, offset, bytes, copyTime(w, owner, bytes)});
  if (!w.launch->options.randomSchedule)
    w.worker->deliver(true);
  return true;
}

void Worker::deliver(bool all) {
  size_t kept = 0;
  for (size_t i = 0; i < deliveries.size(); ++i) {
    const PendingCopy d = deliveries[i];
    random = random * 6364136223846793005ull + 1442695040888963407ull;
    if (!all && (random >> 40) % 4) {
      deliveries[kept++] = d;
      continue;
    }
    auto found = d.owner->mbarriers.find(d.mbarrier);
    if (found == d.owner->mbarriers.end())
      continue;
    Mbarrier &m = found->second;
    --m.inFlight;
    m.readyAt = std::max(m.readyAt, d.readyAt);
    m.transactions -= d.bytes;
    m.regions.emplace_back(d.offset, d.bytes);
    completeIfDone(m, *d.owner);
  }
  deliveries.resize(kept);
}

void addMbarrierOps(OpTable &table) {
  table["mbarrier.init"] = [](Decoder &d, const Instruction &i, Op &op) { return mbarrier(d, i, op, Kind::init); };
  table["mbarrier.inval"] = [](Decoder &d, const Instruction &i, Op &op) {
    return mbarrier(d, i, op, Kind::invalidate);
  };
  table["mbarrier.arrive"] = [](Decoder &d, const Instruction &i, Op &op) { return mbarrier(d, i, op, Kind::arrive); };
  table["mbarrier.arrive_drop"] = [](Decoder &d, const Instruction &i, Op &op) {
    return mbarrier(d, i, op, Kind::drop);
  };
  table["mbarrier.expect_tx"] = [](Decoder &d, const Instruction &i, Op &op) {
    return mbarrier(d, i, op, Kind::expect);
  };
  table["mbarrier.complete_tx"] = [](Decoder &d, const Instruction &i, Op &op) {
    return mbarrier(d, i, op, Kind::complete);
  };
  table["mbarrier.test_wait"] = [](Decoder &d, const Instruction &i, Op &op) {
    return mbarrier(d, i, op, i.has("parity") ? Kind::parity : Kind::test);
  };
  table["mbarrier.try_wait"] = table["mbarrier.test_wait"];
  table["mbarrier.pending_count"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = [](Warp &w, const Op &o) { map1<u32, u64>(w, o, [](u64 state) { return u32(state & 0xfffff); }); };
    op.a = d.in(i.operands[1], Type::b64);
    op.d = d.out(i.operands[0], Type::u32);
    return d.ok();
  };
  table["cp.async.mbarrier.arrive"] = [](Decoder &d, const Instruction &i, Op &op) {
    Decoder::Address a = d.address(i.operands[0], i.space());
    op.run = runCopyArrive;
    op.pipe = Pipe::sync;
    op.a = a.plane;
    op.flag = a.wide;
    op.imm = a.offset;
    op.flag2 = i.has("noinc");
    return d.ok();
  };
  table["barrier.cluster"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.pipe = Pipe::sync;
    if (i.has("arrive") == i.has("wait"))
      return d.refuse("is either .arrive or .wait");
    op.run = i.has("arrive") ? runClusterArrive : runClusterWait;
    op.flag = i.has("relaxed");
    return true;
  };
}

} // namespace tessera::vgpu
