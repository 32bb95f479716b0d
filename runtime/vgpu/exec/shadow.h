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
    uint8_t atomic = 0;
  };
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

  enum class Verdict : uint8_t { fine, uninitialised, readAfterWrite, writeAfterWrite, writeAfterRead };
  struct Answer {
    Verdict verdict = Verdict::fine;
    uint32_t otherWarp = 0;
  };

  // Bytes `mask` of a word are read by a warp whose vector clock is `clock`.
  Answer read(uint64_t word, uint8_t mask, uint32_t warp, const uint32_t *clock, bool atomic) {
    Cell &cell = cells[word];
    if (cell.writeClock < begin || (cell.valid & mask) != mask)
      return {Verdict::uninitialised, 0};
    uint32_t &mine = reads[word * warps + warp];
    uint32_t now = clock[warp] << 4;
    mine = (mine & ~15u) == now ? mine | mask : now | mask;
    if (cell.writeWarp != warp && cell.writeClock > clock[cell.writeWarp] && (cell.written & mask) &&
        !(atomic && cell.atomic))
      return {Verdict::readAfterWrite, cell.writeWarp};
    return {};
  }

  Answer write(uint64_t word, uint8_t mask, uint32_t warp, const uint32_t *clock, bool atomic) {
    Cell &cell = cells[word];
    Answer answer;
    bool fresh = cell.writeClock < begin;
    if (!fresh && cell.writeWarp != warp && cell.writeClock > clock[cell.writeWarp] && (cell.written & mask) &&
        !(atomic && cell.atomic))
      answer = {Verdict::writeAfterWrite, cell.writeWarp};
    const uint32_t *readers = &reads[word * warps];
    for (uint32_t w = 0; w < warps; ++w)
      if (uint32_t r = readers[w]; r >> 4 > clock[w] && w != warp && r >> 4 >= begin && (r & mask) && !atomic)
        answer = {Verdict::writeAfterRead, w};
    uint8_t before = fresh ? 0 : cell.valid;
    bool again = !fresh && cell.writeWarp == warp && cell.writeClock == clock[warp];
    cell = {clock[warp], uint8_t(warp), uint8_t(again ? cell.written | mask : mask), uint8_t(before | mask),
            uint8_t(atomic)};
    return answer;
  }
};

} // namespace tessera::vgpu
