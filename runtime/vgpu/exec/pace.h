// A modelled clock for each warp, beside its execution: what its instructions take at the launch's occupancy, and how
// long it stands still at barriers and for asynchronous work. It orders nothing; the checker and the results know
// nothing of it.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tessera::vgpu {

struct Block;
struct Launch;
struct Occupancy;
struct Op;
struct Program;
struct Chip;
struct Warp;

// What a warp can stand still for.
enum class Wait : uint8_t { barrier, cluster, mbarrier, copyAsync, bulk, wgmma, count };
std::string_view nameOf(Wait cause);

// Of a launch: clocks of each operation. A scheduler serves a quarter of the resident warps in turn, so that an
// instruction takes all of their shares of its pipe. Loads are not waited for where their values are used: times of
// kernels that wait for plain loads are too short here (the estimate of the launch has no part in this).
struct Pace {
  std::vector<uint32_t> issue; // by operation, sixteenths of a clock
  std::vector<uint32_t> work;  // by operation, sixteenths that an asynchronous one keeps its tensor core busy
  double copyBytes = 1;        // that L2 hands this block in a clock
  static constexpr uint32_t unit = 16;
  static constexpr uint64_t latency = 600 * unit; // of a copy from global memory: 500 to 800 clocks (virtual_gpu.md, 6)

  void prepare(const Program &program, const Chip &chip, const Occupancy &occupancy, uint64_t blocks);
};

// Of a warp, in sixteenths of a clock.
struct WarpTime {
  uint64_t now = 0;
  bool polling = false;
  uint64_t pollingSince = 0;
  // cp.async, bulk stores, wgmma: when the open group and the last committed ones are done.
  struct Groups {
    uint64_t open = 0, committed = 0;
    std::array<uint64_t, 8> done{};
  };
  std::array<Groups, 3> groups;
};

// Of a block: its share of what copies and the tensor cores of the four sub-cores do one after the other.
struct BlockTime {
  uint64_t copiesUntil = 0;
  std::array<uint64_t, 4> tensorUntil{};
};

struct WaitCount {
  uint64_t waits = 0, time = 0; // those that took time; sixteenths of a clock
};

// A wait in the first block of the grid: for traces.
struct WaitEvent {
  uint32_t warp = 0, operation = 0;
  Wait cause = Wait::barrier;
  uint64_t from = 0, until = 0;
};

// Of a worker.
struct Paces {
  static constexpr size_t mostEvents = 20000;
  std::array<WaitCount, size_t(Wait::count)> waits{};
  std::vector<WaitCount> byOperation;
  uint64_t warpTime = 0, blockTime = 0, blocks = 0; // sums over warps and blocks that have ended
  std::vector<WaitEvent> events;
  std::vector<uint64_t> firstBlock; // when the warps of the grid's first block ended

  void add(const Paces &o);
  void ended(const Block &block);
};

// The warp goes on at `until`, or now when that is past. `operation`: where it waited.
void waitUntil(Warp &w, Wait cause, uint32_t operation, uint64_t until);
// A poll that failed, and one that succeeded: what the loop around it executed meanwhile does not count.
void pollFailed(Warp &w);
void pollSucceeded(Warp &w, uint64_t readyAt);
// A copy of the warp's block that starts now: when it will be there.
uint64_t copyTime(Warp &w, Block &block, uint64_t bytes);
// Work of an open group: a copy, or the current wgmma.
void joinGroup(Warp &w, Wait kind, uint64_t doneAt);
uint64_t tensorTime(Warp &w);
void commitGroup(Warp &w, Wait kind);
void waitGroups(Warp &w, Wait kind, uint64_t mayStayOpen);

} // namespace tessera::vgpu
