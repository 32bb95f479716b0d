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

void completeIfDone(Mbarrier &m) {
  if (m.pending || m.transactions)
    return;
  ++m.phase;
  m.pending = m.count;
  m.completedClock = m.clock;
  m.completed.insert(m.completed.end(), m.regions.begin(), m.regions.end());
  m.regions.clear();
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
      m.initWarp = w.index;
      m.initClock = w.clock[w.index];
      if (!checkShared(w, *w.block, l, address, 8, SharedUse::write))
        return;
      w.block->release(w, m.clock);
      continue;
    }
    Block *owner = nullptr;
    Mbarrier *m = mbarrierAt(w, l, address, owner);
    if (!m)
      return;
    switch (kind) {
    case Kind::invalidate:
      owner->mbarriers.erase(address);
      break;
    case Kind::arrive:
    case Kind::drop: {
      u32 count = op.b == nowhere ? 1 : w.in<u32>(op.b)[l];
      states[l] = m->phase << 20 | m->pending;
      if (kind == Kind::drop)
        m->count -= std::min(m->count, count);
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
      if (!over || m->phase == 0)
        break;
      if (owner == w.block)
        w.block->acquire(w, m->completedClock);
      // What copies wrote is there for everybody from now on.
      for (auto [offset, bytes] : m->completed)
        if (w.launch->options.checkShared)
          for (u32 word = offset / 4; word < (offset + bytes + 3) / 4; ++word)
            w.block->shadow.endAsync(word, w.index, w.block->shadow.begin, false);
      m->completed.clear();
      break;
    }
    case Kind::init:
      break;
    }
  }
  if (kind == Kind::test || kind == Kind::parity) {
    w.putPredicate(op.d, done);
    if (done != w.mask) // give the others a turn
      w.stop = w.idle = true;
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
  if (arrives) {
    if (i.has("expect_tx"))
      op.c = d.in(i.operands[at + 1], Type::u32);
    else if (i.operands.size() > at + 1)
      op.b = d.in(i.operands[at + 1], Type::u32);
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
    if (!op.flag2) // without .noinc the pending count grows by one first
      ++m->pending;
    if (!arriveAt(w, l, *m, *owner, 1, 0))
      return;
  }
}

void runClusterArrive(Warp &w, const Op &) {
  Block &first = *w.block->cluster[0];
  w.clusterSeen = first.clusterPhase;
  first.clusterArrived += u32(std::popcount(w.mask));
  first.tryCompleteCluster();
}
void runClusterWait(Warp &w, const Op &) {
  if (w.block->cluster[0]->clusterPhase > w.clusterSeen)
    return;
  w.park(Fragment::State::clusterBarrier);
  w.save();
  w.current = ~size_t(0);
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
  if (owner == w.block && m.initWarp != w.index && m.initClock > w.clock[m.initWarp]) {
    w.fail(Fault::race, lane, address,
           "uses the mbarrier at shared offset " + std::to_string(offset) + " that warp " + std::to_string(m.initWarp) +
               " initialises, with no barrier between");
    return nullptr;
  }
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
  if (count && &owner == w.block)
    w.block->release(w, m.clock);
  completeIfDone(m);
  return true;
}

bool completeCopy(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 offset, u32 bytes) {
  m.regions.emplace_back(offset, bytes);
  return arriveAt(w, lane, m, owner, 0, -s64(bytes));
}

void addMbarrierOps(OpTable &table) {
  table["mbarrier.init"] = [](Decoder &d, const Instruction &i, Op &op) { return mbarrier(d, i, op, Kind::init); };
  table["mbarrier.inval"] = [](Decoder &d, const Instruction &i, Op &op) {
    return mbarrier(d, i, op, Kind::invalidate);
  };
  table["mbarrier.arrive"] = [](Decoder &d, const Instruction &i, Op &op) {
    return !i.has("noComplete") && mbarrier(d, i, op, Kind::arrive);
  };
  table["mbarrier.arrive_drop"] = [](Decoder &d, const Instruction &i, Op &op) {
    return !i.has("noComplete") && mbarrier(d, i, op, Kind::drop);
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
    return true;
  };
}

} // namespace tessera::vgpu
