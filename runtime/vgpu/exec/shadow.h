// What the checker remembers of shared memory: who wrote and read each word last, and at which of its warp's times.
// Times are vector-clock entries that grow over the life of a worker, so nothing is cleared between blocks.
#pragma once
#include "runtime/vgpu/exec/clock.h"
#include <bit>
#include <cstdint>
#include <vector>

namespace tessera::vgpu {

// Who touches shared memory: a lane, and what its warp knows of the others of the cluster. Agents of a cluster are its
// warps, block after block, and behind them one async engine a block, which stands for copies and wgmma reads.
struct Viewer {
  uint32_t agent = 0, lane = 0;
  uint32_t column = 0;                // of Shadow::reads: the warp's number in the block that owns the memory
  uint32_t now = 0;                   // its present time
  const uint32_t *clock = nullptr;    // by agent: what happened until then is ordered before this access; its own entry
                                      // is the time until which its lanes are ordered among themselves
  const uint32_t *lanes = nullptr;    // by lane of its own warp, the same; null: nothing beyond `clock`
  const uint32_t *fences = nullptr;   // by agent: its time at its last fence.proxy.async
  const VectorClock *known = nullptr; // all that `clock` is part of
  const VectorClock *fenced = nullptr; // that at this warp's own last fence.proxy.async, or null
  bool ordered(uint32_t who, uint32_t whoLane, uint32_t time) const {
    return time <= clock[who] || (who == agent && (whoLane == lane || (lanes && time <= lanes[whoLane]))) ||
           (!known->lanes.empty() && time <= known->of(who, whoLane));
  }
};

struct Shadow {
  struct Cell {
    uint32_t writeClock = 0;
    uint16_t who = 0;  // agent of the last write, and flags
    uint8_t lane = 0;  // of the last write
    uint8_t bytes = 0; // low half: written since the block began; high half: by the last write
    uint32_t agent() const { return who & agentBits; }
    uint32_t valid() const { return bytes & 15; }
    uint32_t written() const { return bytes >> 4; }
  };
  static constexpr uint16_t agentBits = 1023;
  // Of a cell: the last write was atomic; an asynchronous copy into it is in flight; the generic proxy wrote it; it is
  // part of a live mbarrier.
  static constexpr uint16_t atomicFlag = 1024, pendingFlag = 2048, genericFlag = 4096, mbarrierFlag = 8192;
  // The last read of a word by a warp: time, whether it was atomic, bytes, lanes.
  static constexpr uint64_t makeRead(uint32_t time, bool atomic, uint32_t mask, uint32_t lanes) {
    return uint64_t(time) << 37 | uint64_t(atomic) << 36 | uint64_t(mask) << 32 | lanes;
  }
  static uint32_t timeOf(uint64_t read) { return uint32_t(read >> 37); }
  static constexpr uint32_t lastTime = 1u << 26; // times must stay below; clocks are set back between blocks

  std::vector<Cell> cells; // one a 4-byte word
  // [column][word], so that words that a lane reads lie together: the block's warps, its async engine, the last warp of
  // another block.
  std::vector<uint64_t> reads;
  uint32_t warps = 0;
  uint32_t firstAgent = 0, engineAgent = 0; // of the block's first warp, of its engine
  uint32_t begin = 1;                       // clock at which the block began

  void prepare(uint64_t bytes, uint32_t warpCount, uint32_t beginClock) {
    uint64_t words = (bytes + 3) / 4;
    begin = beginClock;
    if (cells.size() < words || warps != warpCount) {
      warps = warpCount;
      cells.assign(words, {});
      reads.assign(words * (warps + 2), 0);
    }
  }

  enum class Verdict : uint8_t {
    fine,
    uninitialised,
    readAfterWrite,
    writeAfterWrite,
    writeAfterRead,
    inFlight,
    unfenced,
    mbarrier
  };
  struct Answer {
    Verdict verdict = Verdict::fine;
    uint32_t other = 0, otherLane = 0; // agent; lane of the same warp
  };

  uint64_t &readOf(uint64_t word, uint32_t column) { return reads[column * cells.size() + word]; }

  // Whole words [word, end) are read by `lanes` of a warp of this block or written by a lane: answers one that needs a
  // closer look; those before it are done.
  uint64_t readWords(uint64_t word, uint64_t end, const Viewer &by, uint32_t lanes) {
    const uint64_t read = makeRead(by.now, false, 15, lanes);
    const Cell *cell = &cells[word];
    uint64_t *mine = &readOf(word, by.column);
    uint64_t fine = ~std::bit_cast<uint64_t>(*cell); // the last cell that was: what one store wrote has equal cells
    for (; word < end; ++word, ++cell, ++mine) {
      if (const auto bits = std::bit_cast<uint64_t>(*cell); bits != fine) {
        uint32_t who = cell->agent();
        bool ordered = cell->writeClock <= by.clock[who] || (who == by.agent && 1u << cell->lane == lanes);
        if (cell->writeClock < begin || cell->valid() != 15 || (cell->who & pendingFlag) || !ordered)
          return word;
        fine = bits;
      }
      *mine = read | (timeOf(*mine) == by.now ? *mine & ~(1ull << 36) : 0);
    }
    return end;
  }
  uint64_t writeWords(uint64_t word, uint64_t end, const Viewer &by, uint16_t flags) {
    const Cell mine{by.now, uint16_t(by.agent | flags), uint8_t(by.lane), 255};
    const uint32_t *known = by.clock + firstAgent;
    uint64_t fine = 0; // as above; a cell that nobody wrote is fine
    uint32_t late = 0;
    for (uint64_t w = word; w < end; ++w) {
      const Cell &cell = cells[w];
      if (const auto bits = std::bit_cast<uint64_t>(cell); bits != fine && cell.writeClock >= begin) {
        uint32_t who = cell.agent();
        bool ordered = cell.writeClock <= by.clock[who] || (who == by.agent && cell.lane == by.lane);
        if ((cell.who & (pendingFlag | mbarrierFlag)) || !ordered)
          return word;
        fine = bits;
      }
    }
    for (uint32_t c = 0; c < warps + 2; ++c) { // of another block: rare
      const uint32_t until = c < warps ? known[c] : c == warps ? by.clock[engineAgent] : begin;
      const uint64_t *readers = &readOf(word, c);
      for (uint64_t i = 0; i < end - word; ++i)
        late |= timeOf(readers[i]) > until;
    }
    if (late)
      return word;
    for (; word < end; ++word)
      cells[word] = mine;
    return end;
  }

  // Bytes `mask` of a word are read.
  Answer read(uint64_t word, uint8_t mask, const Viewer &by, bool atomic) {
    const Cell &cell = cells[word];
    if (cell.writeClock >= begin && (cell.who & pendingFlag))
      return {Verdict::inFlight, cell.agent(), cell.lane};
    if (cell.writeClock < begin || (cell.valid() & mask) != mask)
      return {Verdict::uninitialised};
    note(word, by, mask, atomic);
    if ((cell.written() & mask) && !(atomic && (cell.who & atomicFlag)) &&
        !by.ordered(cell.agent(), cell.lane, cell.writeClock))
      return {Verdict::readAfterWrite, cell.agent(), cell.lane};
    return {};
  }

  // Writes them; a lane that overwrites what another lane of its warp wrote is for the caller to compare when
  // answered writeAfterWrite with `other` being itself.
  Answer write(uint64_t word, uint8_t mask, const Viewer &by, bool atomic) {
    Cell &cell = cells[word];
    bool fresh = cell.writeClock < begin;
    if (!fresh && (cell.who & pendingFlag))
      return {Verdict::inFlight, cell.agent(), cell.lane};
    if (!fresh && (cell.who & mbarrierFlag))
      return {Verdict::mbarrier, cell.agent(), cell.lane};
    Answer answer;
    if (!fresh && (cell.written() & mask) && !(atomic && (cell.who & atomicFlag)) &&
        !by.ordered(cell.agent(), cell.lane, cell.writeClock))
      answer = {Verdict::writeAfterWrite, cell.agent(), cell.lane};
    for (uint32_t c = 0; c <= warps; ++c)
      if (uint32_t agent = c < warps ? firstAgent + c : engineAgent; timeOf(readOf(word, c)) > by.clock[agent])
          [[unlikely]]
        unorderedRead(readOf(word, c), c, agent, mask, by, atomic, answer);
    if (uint64_t r = readOf(word, warps + 1); timeOf(r) > begin && timeOf(r) > by.clock[uint32_t(r)]) [[unlikely]]
      unorderedRead(r, warps + 1, uint32_t(r), mask, by, atomic, answer);
    bool again = !fresh && cell.agent() == by.agent && cell.lane == by.lane && cell.writeClock == by.now;
    uint32_t valid = (fresh ? 0 : cell.valid()) | mask, written = again ? cell.written() | mask : mask;
    cell = {by.now, uint16_t(by.agent | (atomic ? atomicFlag | genericFlag : genericFlag)), uint8_t(by.lane),
            uint8_t(valid | written << 4)};
    return answer;
  }

  // The async proxy may not touch what the generic proxy wrote and nobody fenced: by the writer after it wrote, or by
  // the warp that starts the access, after it learned of the write.
  bool unfenced(uint64_t word, uint8_t mask, const Viewer &by) const {
    const Cell &cell = cells[word];
    return cell.writeClock >= begin && (cell.who & genericFlag) && (cell.written() & mask) &&
           by.fences[cell.agent()] < cell.writeClock &&
           !(by.fenced && by.fenced->of(cell.agent(), cell.lane) >= cell.writeClock);
  }
  // An asynchronous copy into the bytes begins: they are undefined until it is complete.
  Answer beginAsync(uint64_t word, uint8_t mask, const Viewer &by, bool asyncProxy) {
    bool missesFence = asyncProxy && unfenced(word, mask, by);
    uint32_t other = cells[word].agent(), lane = cells[word].lane;
    Answer answer = write(word, mask, by, false);
    cells[word].who |= pendingFlag;
    if (answer.verdict == Verdict::fine && missesFence)
      return {Verdict::unfenced, other, lane};
    return answer;
  }
  // A reduction into the bytes begins: they are there already, and other reductions may be under way.
  Answer beginReduce(uint64_t word, uint8_t mask, const Viewer &by, bool asyncProxy) {
    Cell &cell = cells[word];
    if (cell.writeClock < begin || (cell.valid() & mask) != mask)
      return {Verdict::uninitialised};
    if ((cell.who & pendingFlag) && (cell.who & atomicFlag))
      return {};
    bool missesFence = asyncProxy && unfenced(word, mask, by);
    uint32_t other = cell.agent(), lane = cell.lane;
    Answer answer = write(word, mask, by, true);
    cells[word].who |= pendingFlag | atomicFlag;
    if (answer.verdict == Verdict::fine && missesFence)
      return {Verdict::unfenced, other, lane};
    return answer;
  }
  // ... and is complete: `agent` made it visible at `time`.
  void endAsync(uint64_t word, uint32_t agent, uint32_t lane, uint32_t time, bool generic) {
    Cell &cell = cells[word];
    if (!(cell.who & pendingFlag) || cell.writeClock < begin)
      return;
    cell.who = uint16_t(agent | (generic ? genericFlag : 0));
    cell.lane = uint8_t(lane);
    cell.writeClock = time;
  }
  // The async proxy reads; the read is noted when it is complete (endRead).
  Answer readAsync(uint64_t word, uint8_t mask, const Viewer &by) {
    const Cell &cell = cells[word];
    if (cell.writeClock >= begin && (cell.who & pendingFlag))
      return {Verdict::inFlight, cell.agent(), cell.lane};
    if (cell.writeClock < begin || (cell.valid() & mask) != mask)
      return {Verdict::uninitialised};
    if ((cell.written() & mask) && !by.ordered(cell.agent(), cell.lane, cell.writeClock))
      return {Verdict::readAfterWrite, cell.agent(), cell.lane};
    if (unfenced(word, mask, by))
      return {Verdict::unfenced, cell.agent(), cell.lane};
    return {};
  }
  void endRead(uint64_t word, uint32_t column, uint32_t time, uint32_t lanes) {
    readOf(word, column) = makeRead(time, false, 15, lanes);
  }
  void markMbarrier(uint64_t word, bool live) {
    if (live)
      cells[word].who |= mbarrierFlag;
    else
      cells[word].who &= uint16_t(~mbarrierFlag);
  }

private:
  void note(uint64_t word, const Viewer &by, uint32_t mask, bool atomic) {
    uint64_t &mine = readOf(word, by.column);
    if (by.column > warps) { // another block of the cluster: its agent takes the place of the lanes
      mine = makeRead(by.now, atomic, mask, by.agent);
      return;
    }
    uint64_t read = makeRead(by.now, atomic, mask, 1u << by.lane);
    mine = timeOf(mine) == by.now ? (mine | read) & ~(uint64_t(!atomic) << 36) : read;
  }
  void unorderedRead(uint64_t r, uint32_t column, uint32_t agent, uint32_t mask, const Viewer &by, bool atomic,
                     Answer &answer) const {
    if (timeOf(r) < begin || !((r >> 32 & 15) & mask) || (atomic && (r >> 36 & 1)))
      return;
    uint32_t lane = 0;
    if (column == warps + 1) { // of another block: which lane is not known
      for (; lane < 32; ++lane)
        if (by.ordered(agent, lane, timeOf(r)))
          return;
      lane = 0;
    } else {
      auto others = uint32_t(r);
      for (uint32_t left = others; left; left &= left - 1)
        if (auto l = uint32_t(__builtin_ctz(left)); by.ordered(agent, l, timeOf(r)))
          others &= ~(1u << l);
      if (!others)
        return;
      lane = uint32_t(__builtin_ctz(others));
    }
    answer = {Verdict::writeAfterRead, agent, lane};
  }
};

} // namespace tessera::vgpu
