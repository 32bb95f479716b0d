// A warp while it runs: 32 lanes in lock step, split into fragments where they diverged.
#pragma once
#include "runtime/vgpu/exec/finding.h"
#include "runtime/vgpu/exec/pace.h"
#include "runtime/vgpu/exec/program.h"
#include "runtime/vgpu/exec/shadow.h"
#include <cstring>
#include <string_view>

namespace tessera::vgpu {

struct Block;
struct Worker;
struct Launch;

// Registers that a call of a stacked function overwrites, as they were.
struct SavedRegisters {
  const Activation *of = nullptr;
  std::vector<uint8_t> planes;
  std::vector<uint32_t> predicates;
};
struct Call {
  uint32_t pc = 0, frame = 0, top = 0; // of the caller: where to go on, its frame in local memory
  std::shared_ptr<const SavedRegisters> saved;
};

// Lanes of a warp that share a pc. Fragments of one warp make progress independently of each other.
struct Fragment {
  enum class State : uint8_t { ready, converge, barrier, clusterBarrier, warpgroup, registers };
  uint32_t mask = 0, pc = 0;
  int32_t join = -1; // innermost reconvergence point that these lanes go to
  State state = State::ready;
  uint32_t members = 0;        // converge: lanes that must be at this instruction together
  uint32_t waitFor = 0;        // barrier: its number
  uint32_t frame = 0, top = 0; // of the innermost stacked function: its variables, and where the next frame begins
  std::vector<Call> calls;     // open ones, outermost first
  std::shared_ptr<const SavedRegisters> returned; // by the call that just ended
};

// Where lanes that diverged meet again: the immediate post-dominator of the branch.
struct Join {
  uint32_t pc = 0, expected = 0, waiting = 0;
  int32_t parent = -1;
  size_t depth = 0; // of calls
  bool used = false;
};

struct Warp {
  // Hot: what operations read.
  uint8_t *registers = nullptr;
  const uint8_t *constants = nullptr;
  uint32_t *predicates = nullptr;
  uint32_t mask = 0;            // lanes that execute the current operation
  uint32_t active = 0;          // lanes of the running fragment
  uint32_t pc = 0;              // of the next operation
  bool stop = false;            // leave the loop: the fragment blocked, ended or faulted
  bool idle = false;            // ... because a wait that it polls has not been satisfied
  uint32_t sincePoll = ~0u / 2; // instructions since a wait that it polls was not satisfied
  uint32_t carry = 0;           // condition code of add.cc and its like
  Block *block = nullptr;
  Worker *worker = nullptr;
  const Launch *launch = nullptr;

  uint32_t index = 0; // in the block
  uint32_t lanesAtStart = 0, exited = 0;
  std::vector<Fragment> fragments;
  size_t current = 0;
  std::vector<Join> joins;
  std::vector<uint8_t> registerStore;
  std::vector<uint32_t> predicateStore;
  std::vector<uint8_t> local; // lanes * localBytes
  uint64_t instructions = 0;
  WarpTime time; // modelled

  // The checker's order of events (order.cpp). Vector clocks have an entry for each agent of the cluster (Viewer).
  Viewer viewer;                   // its `now` counts this warp's releases
  VectorClock clock;               // what happened before the warp's next access
  std::vector<uint32_t> laneClock; // [lane][lane]: beyond clock, after synchronisation of some lanes only
  VectorClock proxyView;           // `clock` at this warp's last fence.proxy.async
  VectorClock fenceClock;          // `clock` at its last memory fence: what atomics after it hand on
  VectorClock pendingView;         // what its atomics saw since: ordered by the next fence
  std::vector<uint32_t> initView;  // by agent: the latest mbarrier.init that a relaxed cluster barrier handed on

  // cp.async copies that have not been waited for (ISA 9.7.9.25.3), and the number of each lane's open group.
  struct Copy {
    uint32_t lane, group, offset, bytes;
    uint8_t data[16];
  };
  std::vector<Copy> copies;
  uint32_t openGroup[lanes] = {};
  // The same for bulk copies out of shared memory that may still be reading it.
  struct BulkRead {
    uint32_t lane, group, offset, bytes;
    Block *from;
  };
  std::vector<BulkRead> bulkReads;
  uint32_t bulkOpen[lanes] = {};
  bool clusterWaited = false; // the other blocks of the cluster are known to run
  uint64_t clusterSeen = 0;   // phases of barrier.cluster that had completed at the last arrival
  // wgmma operations by number: issued, known to be complete, and where each committed group ends (warpgroup.cpp).
  uint64_t wgmmaIssued = 0, wgmmaDone = 0;
  std::vector<uint64_t> wgmmaGroups;
  struct WgmmaRegister {
    uint64_t usedBy = 0;  // number of the last wgmma that names it, counted from 1
    uint32_t shape = 0;   // of that one, when it is an accumulator
    uint32_t touched = 0; // when another instruction last used it
  };
  std::vector<WgmmaRegister> wgmmaRegisters; // by RegisterGuard's numbers
  uint32_t touches = 1, wgmmaFence = 0;      // time of those, and of the last wgmma.fence
  uint64_t wgmmaFenced = 0;                  // wgmma operations issued before it
  uint32_t heldRegisters = 0;                // a thread, after setmaxnreg
  struct Poll {
    uint32_t pc = 0, offset = 0;
    Block *owner = nullptr;
    uint64_t phase = 0; // parity, or the phase of the state
  } poll;               // the last unsuccessful wait for an mbarrier

  uint32_t alive() const { return lanesAtStart & ~exited; }

  template <class T> const T *in(uint32_t plane) const {
    const uint8_t *bank = plane & constantBank ? constants : registers;
    return reinterpret_cast<const T *>(bank + (plane & ~constantBank));
  }
  template <class T> T *plane(uint32_t offset) const { return reinterpret_cast<T *>(registers + offset); }

  // Writes the lanes of `mask`.
  void put(uint32_t d, const uint32_t *values) const {
    auto *to = plane<uint32_t>(d);
    if (mask == allLanes) {
      std::memcpy(to, values, 128);
      return;
    }
    for (uint32_t l = 0; l < lanes; ++l)
      to[l] = mask >> l & 1 ? values[l] : to[l];
  }
  void put(uint32_t d, const uint64_t *values) const {
    auto *to = plane<uint64_t>(d);
    if (mask == allLanes) {
      std::memcpy(to, values, 256);
      return;
    }
    for (uint32_t l = 0; l < lanes; ++l)
      to[l] = mask >> l & 1 ? values[l] : to[l];
  }
  void putPredicate(uint32_t p, uint32_t bits) const { predicates[p] = (predicates[p] & ~mask) | (bits & mask); }

  // The current operation and lane did something wrong: record it and stop the launch.
  void fail(Fault fault, uint32_t lane, uint64_t address, std::string message);

  // Divergence (divergence.cpp).
  void branch(uint32_t target, uint32_t taken, uint32_t reconverge);
  void arriveAtJoin();
  void exitLanes(uint32_t which);
  // True when the lanes of `members` execute this operation together now, with `mask` widened to all of them;
  // otherwise the fragment waits for the others and the operation will be run again.
  bool converge(uint32_t members);
  // The lanes of `mask` wait at this operation in the given state; the others of the fragment go on.
  void park(Fragment::State state);
  void save(); // the running fragment back into `fragments`
  bool pick(); // the next fragment that can run; false when none can
  bool finished() const { return fragments.empty(); }

private:
  void release(int32_t join);
};

// Runs fragments of the warp until it blocks, ends, faults or has used its slice.
void runWarp(Warp &warp, uint32_t slice);

} // namespace tessera::vgpu
