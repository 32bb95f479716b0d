// Where global memory requests end: a model of one block's share of the L1, and of what L2 and DRAM move for the
// launch.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tessera::vgpu {

struct Access;
struct Chip;
struct Occupancy;
struct Warp;

// Of all workers together, in bytes.
struct Totals {
  double dramRead = 0, dramWritten = 0;
  double reread = 0;     // of dramRead: what L2 had lost
  uint64_t distinct = 0; // in sectors that were touched at all
};

// One worker's record. Nothing in it depends on the order in which workers take blocks: the L1 starts empty with each
// block, and which lines of memory were touched in which wave of blocks is a set.
class Traffic {
public:
  // The L1 that a block has: what shared memory leaves of the SM's storage, over the resident blocks.
  void begin(const Chip &chip, const Occupancy &occupancy, uint32_t sharedABlock, uint64_t blocks);
  void beginBlock(uint64_t linear);

  // Sectors (bits 0 to 3) of the 128-byte line `line`; how many of them reach L2. Loads with `cached` look into L1;
  // stores are written through and atomics go by it.
  uint32_t touch(uint64_t line, uint32_t sectors, bool write, bool cached);
  // The same for a run of bytes.
  uint32_t touchRange(uint64_t address, uint64_t bytes, bool write, bool cached);

private:
  friend Totals totalsOf(std::span<Traffic *const> workers, double usableL2);
  static constexpr uint32_t ways = 4, pageLines = 32; // a page: 4 KiB
  static constexpr uint32_t buckets = 64;             // of waves
  static constexpr size_t mostPages = 1u << 20;
  struct Tag {
    uint64_t line = ~0ull;
    uint32_t sectors = 0;
  };
  struct Page {
    uint64_t key = 0;
    uint64_t waves[pageLines] = {}; // a bit for each bucket of waves that touched the line
    uint8_t read[pageLines] = {}, written[pageLines] = {};
  };
  Page *pageOf(uint64_t key);

  std::vector<Tag> tags;
  std::vector<uint8_t> turns; // by set
  uint32_t sets = 1;
  double blocksABucket = 1;
  uint64_t bucket = 0;
  std::vector<std::unique_ptr<Page>> pages;
  std::vector<uint32_t> slots; // hash table over pages: index + 1
  std::array<Page *, 16> recent{};
  uint64_t unrecorded = 0; // bytes beyond mostPages
};

// DRAM: every sector once, and again for each later wave of blocks that reads it when so much else was touched since
// that L2 has lost it: with the share 1 - usable / bytes between. Within a wave L2 serves every repetition.
Totals totalsOf(std::span<Traffic *const> workers, double usableL2);

// Counts the request of a warp: sectors, the fewest that its bytes need, those that reach L2.
void countGlobal(Warp &w, const Access &access);

} // namespace tessera::vgpu
