// What the checker remembers of shared memory: who wrote and read each word last, and at which of its warp's times.
// Times are vector-clock entries that grow over the life of a worker, so nothing is cleared between blocks.
#pragma once
#include <cstdint>
#include <vector>

namespace tessera::vgpu {

struct Shadow {
  struct Cell {
    uint32_t writeClock = 0;
    uint8_t writeWarp = 0;
    uint8_t written = 0; // bytes of the last write (4 bits)
    uint8_t valid = 0;   // bytes written since the block began
    uint8_t flags = 0;
  };
  // Of a cell: the last write was atomic; an asynchronous copy into it is in flight; the generic proxy wrote it.
  static constexpr uint8_t atomicFlag = 1, pendingFlag = 2, genericFlag = 4;
  std::vector<Cell> cells;     // one a 4-byte word
  std::vector<uint32_t> reads; // [word][warp]: clock << 4 | bytes
  uint32_t warps = 0;
  uint32_t begin = 1; // clock at which the block began

  void prepare(uint64_t bytes, uint32_t warpCount, uint32_t beginClock) {
    uint64_t words = (bytes + 3) / 4;
    begin = beginClock;
    if (cells.size() < words || warps != warpCount) {
      warps = warpCount;
      cells.assign(words, {});
      reads.assign(words * warpCount, 0);
    }
  }

  enum class Verdict : uint8_t {
    fine,
    uninitialised,
    readAfterWrite,
    writeAfterWrite,
    writeAfterRead,
    inFlight,
    unfenced
  };
  struct Answer {
    Verdict verdict = Verdict::fine;
    uint32_t otherWarp = 0;
  };

  // A whole word is read: true when nothing speaks against it, false when read() has to look closer.
  bool readWhole(uint64_t word, uint32_t warp, const uint32_t *clock) {
    const Cell &cell = cells[word];
    bool ordered = cell.writeWarp == warp || cell.writeClock <= clock[cell.writeWarp];
    if (cell.writeClock < begin || cell.valid != 15 || (cell.flags & pendingFlag) || !ordered)
      return false;
    reads[word * warps + warp] = clock[warp] << 4 | 15;
    return true;
  }

  // Bytes `mask` of a word are read by a warp whose vector clock is `clock`.
  Answer read(uint64_t word, uint8_t mask, uint32_t warp, const uint32_t *clock, bool atomic) {
    Cell &cell = cells[word];
    if (cell.writeClock >= begin && (cell.flags & pendingFlag))
      return {Verdict::inFlight, cell.writeWarp};
    if (cell.writeClock < begin || (cell.valid & mask) != mask)
      return {Verdict::uninitialised, 0};
    uint32_t &mine = reads[word * warps + warp];
    uint32_t now = clock[warp] << 4;
    mine = (mine & ~15u) == now ? mine | mask : now | mask;
    if (cell.writeWarp != warp && cell.writeClock > clock[cell.writeWarp] && (cell.written & mask) &&
        !(atomic && (cell.flags & atomicFlag)))
      return {Verdict::readAfterWrite, cell.writeWarp};
    return {};
  }

  Answer write(uint64_t word, uint8_t mask, uint32_t warp, const uint32_t *clock, bool atomic) {
    Cell &cell = cells[word];
    Answer answer;
    bool fresh = cell.writeClock < begin;
    if (!fresh && (cell.flags & pendingFlag))
      return {Verdict::inFlight, cell.writeWarp};
    if (!fresh && cell.writeWarp != warp && cell.writeClock > clock[cell.writeWarp] && (cell.written & mask) &&
        !(atomic && (cell.flags & atomicFlag)))
      answer = {Verdict::writeAfterWrite, cell.writeWarp};
    const uint32_t *readers = &reads[word * warps];
    for (uint32_t w = 0; w < warps; ++w)
      if (uint32_t r = readers[w]; r >> 4 > clock[w] && w != warp && r >> 4 >= begin && (r & mask) && !atomic)
        answer = {Verdict::writeAfterRead, w};
    uint8_t before = fresh ? 0 : cell.valid;
    bool again = !fresh && cell.writeWarp == warp && cell.writeClock == clock[warp];
    cell = {clock[warp], uint8_t(warp), uint8_t(again ? cell.written | mask : mask), uint8_t(before | mask),
            uint8_t(atomic ? atomicFlag | genericFlag : genericFlag)};
    return answer;
  }

  // Another block of the cluster writes: the bytes become valid, without an order.
  void remoteWrite(uint64_t word, uint8_t mask, bool async) {
    Cell &cell = cells[word];
    bool fresh = cell.writeClock < begin;
    cell = {begin, 0, mask, uint8_t((fresh ? 0 : cell.valid) | mask), uint8_t(async ? pendingFlag : 0)};
  }

  // An asynchronous copy into the bytes begins: they are undefined until it is waited for.
  Answer beginAsync(uint64_t word, uint8_t mask, uint32_t warp, const uint32_t *clock) {
    Answer answer = write(word, mask, warp, clock, false);
    cells[word].flags |= pendingFlag;
    return answer;
  }
  // ... and has been waited for by `warp`; `generic` when the copy was made by the generic proxy (cp.async).
  void endAsync(uint64_t word, uint32_t warp, uint32_t clock, bool generic) {
    Cell &cell = cells[word];
    if (!(cell.flags & pendingFlag))
      return;
    cell.flags = generic ? genericFlag : 0;
    cell.writeWarp = uint8_t(warp);
    cell.writeClock = clock;
  }
  // The async proxy reads: what the generic proxy wrote must have been fenced. `fences` are the clocks at which each
  // warp last fenced its own writes, `view` what the reading warp knew at its own last fence (may be null).
  Answer readAsync(uint64_t word, uint8_t mask, uint32_t warp, const uint32_t *clock, const uint32_t *fences,
                   const uint32_t *view) {
    Answer answer = read(word, mask, warp, clock, false);
    const Cell &cell = cells[word];
    if (answer.verdict == Verdict::fine && (cell.flags & genericFlag) && fences[cell.writeWarp] < cell.writeClock &&
        !(view && view[cell.writeWarp] >= cell.writeClock))
      return {Verdict::unfenced, cell.writeWarp};
    return answer;
  }
};

} // namespace tessera::vgpu
