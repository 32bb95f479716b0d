// A thread block while it runs: its warps, shared memory with the checker's shadow, barriers; and the worker it runs
// on.
#pragma once
#include "runtime/vgpu/exec/chips.h"
#include "runtime/vgpu/exec/finding.h"
#include "runtime/vgpu/exec/memory.h"
#include "runtime/vgpu/exec/options.h"
#include "runtime/vgpu/exec/shadow.h"
#include "runtime/vgpu/exec/traffic.h"
#include "runtime/vgpu/exec/warp.h"
#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace tessera::vgpu {

// What one operation of the program did, over all warps of a worker.
struct OpCount {
  uint64_t issues = 0, lanes = 0, skipped = 0;
  uint64_t bytes = 0;                           // of global memory, requested by active lanes
  uint64_t sectors = 0, idealSectors = 0;       // global: of 32 bytes; the fewest that the same bytes need
  uint64_t l2 = 0;                              // global: sectors that the L1 did not have
  uint64_t wavefronts = 0, idealWavefronts = 0; // shared: passes of 128 bytes; the fewest

  void add(const OpCount &o);
};

struct Launch {
  const Program *program = nullptr;
  const Chip *chip = nullptr;
  Memory *memory = nullptr;
  Options options;
  Pace pace; // prepared by runLaunch
  uint32_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1}, cluster[3] = {1, 1, 1};
  uint32_t dynamicShared = 0;
  bool cooperative = false;
  uint64_t gridWorkspace = 0;
  std::vector<uint8_t> parameters;
  // Of every loaded module: address of a function by number, for indirect calls and printf.
  std::atomic<bool> stop{false};
  std::mutex lock;
  std::vector<Finding> findings;
  uint64_t blocks() const { return uint64_t(grid[0]) * grid[1] * grid[2]; }
  uint32_t threads() const { return block[0] * block[1] * block[2]; }
};

// A named barrier (bar.sync n).
struct Barrier {
  uint32_t expected = 0;         // threads; 0 while nobody has arrived
  bool all = false;              // expects every live thread of the block
  std::vector<uint32_t> arrived; // lanes by warp
  VectorClock clock;
  struct Waiter {
    Warp *warp;
    uint32_t mask;
    const Op *op;
    uint32_t values; // of bar.red: predicate bits
  };
  std::vector<Waiter> waiters, arrivals;
  uint64_t latest = 0; // modelled time of the last arrival
};

// An mbarrier object (ISA 9.7.13.15); its 64 bits in shared memory hold a mark, the state is here.
struct Mbarrier {
  uint32_t count = 0, pending = 0;                     // arrivals of a phase, and those still missing
  int64_t transactions = 0;                            // bytes expected and not yet copied
  uint64_t phase = 0;                                  // phases completed
  uint32_t initAgent = 0, initLane = 0, initClock = 0; // who initialised it, and when
  uint32_t offset = 0, inFlight = 0;                   // in shared memory; copies that will still tell it
  bool observed = true;                                // somebody has waited for the last completed phase
  bool copied = false;                                 // ... which copies were part of
  VectorClock clock, completedClock;
  uint64_t completedAt = 0;                           // the same when the last phase completed
  uint64_t readyAt = 0;                               // modelled time of the latest arrival, or of a copy's end
  std::vector<std::pair<uint32_t, uint32_t>> regions; // what copies of this phase wrote: offset and bytes
};

// A wgmma of the four warps of a warpgroup: who issued it, and the 16-byte chunks of shared memory that it reads.
struct WgmmaRecord {
  uint32_t pc = 0, issued = 0, doneTime = 0;
  uint64_t descriptors[2] = {0, 0};
  std::vector<uint32_t> chunks;
};
struct Warpgroup {
  uint64_t first = 0; // number of the oldest record
  std::deque<WgmmaRecord> records;
};

struct Block {
  Worker *worker = nullptr;
  const Launch *launch = nullptr;
  uint32_t id[3] = {0, 0, 0};
  uint64_t linear = 0;
  uint32_t clusterRank = 0;
  std::vector<Block *> cluster; // by rank
  std::deque<Warp> warps;
  std::vector<uint8_t> shared;
  Shadow shadow;
  Barrier barriers[16];
  std::unordered_map<uint32_t, Mbarrier> mbarriers;    // by shared offset
  uint32_t agents = 0, engineAgent = 0, engineNow = 0; // of vector clocks; the async engine's place and time
  // Of the cluster's first block, by agent: its time at the last fence.proxy.async, and at one that covers
  // mbarrier.init.
  std::vector<uint32_t> proxyFences, initFences;
  uint32_t clusterArrived = 0; // of the cluster's first block: threads at barrier.cluster
  uint64_t clusterPhase = 0;
  VectorClock clusterClock, clusterCompleted;
  std::vector<uint32_t> clusterInits;
  // Shared memory that asynchronous reads are using: how many, by 16-byte chunk.
  std::vector<uint16_t> asyncReaders;
  uint32_t asyncReads = 0;
  std::vector<Warpgroup> warpgroups;
  std::unordered_map<uint32_t, VectorClock> atomicClocks; // by word: what atomics after a fence handed on
  std::vector<std::pair<uint32_t, uint32_t>> remoteUses;  // by agent: its last access from another block: time and lane
  VectorClock exitClock;                                  // what warps knew when they ended
  int64_t freeRegisters = -1;                             // for setmaxnreg; -1: the launch's number is not known
  uint32_t liveThreads = 0;
  bool started = false;
  BlockTime time;                               // modelled
  uint64_t clusterLatest = 0, clusterReady = 0; // of the cluster's first block: modelled times of its barrier

  void start(Worker &on, uint64_t index, uint32_t begin);
  bool finished() const { return liveThreads == 0; }
  // Arrival at a barrier by the lanes in warp.mask (barrier.cpp).
  void arrive(Warp &warp, const Op &op, uint32_t number, uint32_t threads, bool wait);
  void lanesExited(Warp &warp, uint32_t which);
  bool checkExit(Warp &warp, uint32_t which);
  void tryCompleteCluster();
  // What lanes of the warp have done and know goes into a clock; tick() tells later accesses from these.
  void publish(const Warp &warp, uint32_t mask, VectorClock &into) const;
  void tick(Warp &warp);
  void release(Warp &warp, VectorClock &into) { publish(warp, warp.mask, into), tick(warp); }
  void acquire(Warp &warp, const VectorClock &from) const;
  // The lanes of `members` have synchronised with each other.
  void syncLanes(Warp &warp, uint32_t members);
  uint32_t engineTick();
  // An asynchronous read of shared memory begins (+1) or has ended (-1).
  void countReads(uint32_t offset, uint32_t bytes, int by);
  std::string agentName(uint32_t agent) const;

private:
  bool tryComplete(uint32_t number);
};

// A copy into shared memory whose mbarrier has not been told yet.
struct PendingCopy {
  Block *owner;
  uint32_t mbarrier, offset, bytes;
  uint64_t readyAt; // modelled time of its end
};

// One OS thread that runs blocks.
struct Worker {
  Launch *launch = nullptr;
  std::vector<OpCount> counts;
  Traffic traffic;
  Paces paces;
  std::deque<Block> blocks; // those that run together: a block, a cluster, or a cooperative grid
  uint32_t nextClock = 1;   // newer than every shadow entry
  uint64_t threadInstructions = 0, warpInstructions = 0;
  uint64_t random = 0; // state of the schedule's generator
  // Recently used global allocations, by a hash of the pc.
  struct Lookup {
    uint64_t low = 1, high = 0;
    Allocation *allocation = nullptr;
  };
  Lookup lookups[64];

  std::vector<PendingCopy> deliveries; // of a random schedule: copies that take their time

  // Completes copies: all of them, or some by chance.
  void deliver(bool all);
  // Runs the gang of blocks [first, first + count) until all have ended or one faulted.
  void runGang(uint64_t first, uint64_t count);
  void report(Warp &warp, Fault fault, uint32_t lane, uint64_t address, std::string message);
  void reportDeadlock();
  std::string waitOf(const Warp &warp, const Fragment &fragment) const;
};

} // namespace tessera::vgpu
