// A thread block while it runs: its warps, shared memory with the checker's shadow, barriers; and the worker it runs
// on.
#pragma once
#include "runtime/vgpu/exec/chips.h"
#include "runtime/vgpu/exec/finding.h"
#include "runtime/vgpu/exec/memory.h"
#include "runtime/vgpu/exec/options.h"
#include "runtime/vgpu/exec/shadow.h"
#include "runtime/vgpu/exec/warp.h"
#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace tessera::vgpu {

// What one operation of the program did, over all warps of a worker.
struct OpCount {
  uint64_t issues = 0, lanes = 0, skipped = 0;
  uint64_t transactions = 0; // global: 32-byte sectors; shared: wavefronts
  uint64_t ideal = 0;        // the fewest transactions that the same bytes need
  uint64_t bytes = 0;        // requested by active lanes
};

struct Launch {
  const Program *program = nullptr;
  const Chip *chip = nullptr;
  Memory *memory = nullptr;
  Options options;
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
  std::vector<uint32_t> clock;
  struct Waiter {
    Warp *warp;
    uint32_t mask;
    const Op *op;
    uint32_t values; // of bar.red: predicate bits
  };
  std::vector<Waiter> waiters, arrivals;
};

// An mbarrier object (ISA 9.7.13.15); its 64 bits in shared memory hold a mark, the state is here.
struct Mbarrier {
  uint32_t count = 0, pending = 0;      // arrivals of a phase, and those still missing
  int64_t transactions = 0;             // bytes expected and not yet copied
  uint64_t phase = 0;                   // phases completed
  uint32_t initWarp = 0, initClock = 0; // who initialised it, and when
  std::vector<uint32_t> clock, completedClock;
  // What asynchronous copies of this and of the completed phase wrote: offset and bytes.
  std::vector<std::pair<uint32_t, uint32_t>> regions, completed;
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
  std::unordered_map<uint32_t, Mbarrier> mbarriers; // by shared offset
  std::vector<uint32_t> proxyFences;                // by warp: its clock at the last fence.proxy.async
  uint32_t clusterArrived = 0;                      // of the cluster's first block: threads at barrier.cluster
  uint64_t clusterPhase = 0;
  uint32_t liveThreads = 0;
  bool started = false;

  void start(Worker &on, uint64_t index);
  bool finished() const { return liveThreads == 0; }
  // Arrival at a barrier by the lanes in warp.mask (barrier.cpp).
  void arrive(Warp &warp, const Op &op, uint32_t number, uint32_t threads, bool wait);
  void lanesExited(Warp &warp, uint32_t which);
  void tryCompleteCluster();
  void release(Warp &warp, std::vector<uint32_t> &into);
  void acquire(Warp &warp, const std::vector<uint32_t> &from);

private:
  bool tryComplete(uint32_t number);
};

// One OS thread that runs blocks.
struct Worker {
  Launch *launch = nullptr;
  std::vector<OpCount> counts;
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

  // Runs the gang of blocks [first, first + count) until all have ended or one faulted.
  void runGang(uint64_t first, uint64_t count);
  void report(Warp &warp, Fault fault, uint32_t lane, uint64_t address, std::string message);
  void reportDeadlock();
};

} // namespace tessera::vgpu
