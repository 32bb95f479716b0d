#include "runtime/vgpu/exec/traffic.h"
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/model/estimate.h"
#include <algorithm>
#include <cmath>

namespace tessera::vgpu {
namespace {
constexpr uint32_t lineBytes = 128, sectorBytes = 32;

// L1 and shared memory share one storage: 32 KiB more than the most shared memory up to sm_75, 28 KiB more from sm_80
// on (CUDA C++ programming guide, table of compute capabilities).
uint32_t storageKiB(const Chip &chip) { return chip.limits.sharedPerSmKiB + (chip.arch < 80 ? 32 : 28); }

uint64_t hashed(uint64_t key) { return (key * 0x9E3779B97F4A7C15ull) >> 32; }
} // namespace

void Traffic::begin(const Chip &chip, const Occupancy &occupancy, uint32_t sharedABlock, uint64_t blocks) {
  const uint64_t slots = std::max(1u, occupancy.blocksPerSm), storage = uint64_t(storageKiB(chip)) << 10;
  const uint64_t resident = std::clamp<uint64_t>((blocks + chip.sms - 1) / chip.sms, 1, slots);
  const uint64_t taken = std::min(storage, resident * sharedABlock);
  const uint64_t lines = std::max<uint64_t>((storage - taken) / resident / lineBytes, 16);
  sets = uint32_t(lines / ways);
  tags.assign(size_t(sets) * ways, {});
  turns.assign(sets, 0);
  const double perWave = double(slots) * chip.sms;
  blocksABucket = perWave * std::max(1.0, std::ceil(double(blocks) / perWave / buckets));
}

void Traffic::beginBlock(uint64_t linear) {
  std::fill(tags.begin(), tags.end(), Tag{});
  std::fill(turns.begin(), turns.end(), uint8_t(0));
  bucket = 1ull << std::min<uint64_t>(uint64_t(double(linear) / blocksABucket), buckets - 1);
}

Traffic::Page *Traffic::pageOf(uint64_t key) {
  Page *&latest = recent[key % recent.size()];
  if (latest && latest->key == key)
    return latest;
  if (slots.size() < 2 * pages.size() + 64) {
    slots.assign(std::max<size_t>(256, slots.size() * 4), 0);
    for (size_t i = 0; i < pages.size(); ++i) {
      size_t at = hashed(pages[i]->key) % slots.size();
      while (slots[at])
        at = (at + 1) % slots.size();
      slots[at] = uint32_t(i + 1);
    }
  }
  size_t at = hashed(key) % slots.size();
  while (slots[at] && pages[slots[at] - 1]->key != key)
    at = (at + 1) % slots.size();
  if (!slots[at]) {
    if (pages.size() == mostPages)
      return nullptr;
    pages.push_back(std::make_unique<Page>());
    pages.back()->key = key;
    slots[at] = uint32_t(pages.size());
  }
  return latest = pages[slots[at] - 1].get();
}

uint32_t Traffic::touch(uint64_t line, uint32_t sectors, bool write, bool cached) {
  if (cached && !write) {
    const size_t index = line % sets;
    Tag *set = &tags[index * ways], *hit = nullptr;
    for (uint32_t i = 0; i < ways; ++i)
      if (set[i].line == line)
        hit = &set[i];
    if (hit) {
      const uint32_t missing = sectors & ~hit->sectors;
      hit->sectors |= sectors;
      sectors = missing;
    } else {
      set[turns[index]++ % ways] = {line, sectors}; // the oldest goes
    }
    if (!sectors)
      return 0;
  }
  const auto count = uint32_t(std::popcount(sectors));
  Page *page = pageOf(line / pageLines);
  if (!page) {
    unrecorded += count * sectorBytes;
    return count;
  }
  const uint32_t at = line % pageLines;
  page->waves[at] |= bucket;
  if (write)
    page->written[at] |= uint8_t(sectors);
  else
    page->read[at] |= uint8_t(sectors & ~page->written[at]); // what the kernel wrote itself comes from L2
  return count;
}

uint32_t Traffic::touchRange(uint64_t address, uint64_t bytes, bool write, bool cached) {
  uint32_t sectors = 0;
  for (uint64_t end = address + bytes; address < end;) {
    const uint64_t line = address / lineBytes, stop = std::min(end, (line + 1) * lineBytes);
    const auto first = uint32_t(address / sectorBytes % 4), last = uint32_t((stop - 1) / sectorBytes % 4);
    sectors += touch(line, (2u << last) - (1u << first), write, cached);
    address = stop;
  }
  return sectors;
}

Totals totalsOf(std::span<Traffic *const> workers, double usableL2) {
  Totals totals;
  Traffic &all = *workers[0];
  for (Traffic *w : workers.subspan(1)) {
    all.unrecorded += w->unrecorded;
    for (const auto &from : w->pages) {
      Traffic::Page *to = all.pageOf(from->key);
      if (!to) {
        for (uint32_t k = 0; k < Traffic::pageLines; ++k)
          all.unrecorded += uint64_t(std::popcount(uint32_t(from->read[k] | from->written[k]))) * sectorBytes;
        continue;
      }
      for (uint32_t k = 0; k < Traffic::pageLines; ++k) {
        to->waves[k] |= from->waves[k];
        to->read[k] |= from->read[k];
        to->written[k] |= from->written[k];
      }
    }
  }
  constexpr uint32_t n = Traffic::buckets;
  std::array<uint64_t, n + 1> before{};               // bytes that the waves before were seen to touch
  std::vector<uint64_t> again(size_t(n) * n), firsts; // sectors read in wave b and last touched in wave a
  uint64_t read = 0, written = 0;
  for (const auto &page : all.pages)
    for (uint32_t k = 0; k < Traffic::pageLines; ++k) {
      const auto reads = uint64_t(std::popcount(page->read[k])), writes = uint64_t(std::popcount(page->written[k]));
      const auto touched = uint64_t(std::popcount(uint8_t(page->read[k] | page->written[k])));
      read += reads, written += writes;
      totals.distinct += touched * sectorBytes;
      uint32_t last = n;
      for (uint64_t waves = page->waves[k]; waves; waves &= waves - 1) {
        const auto wave = uint32_t(std::countr_zero(waves));
        before[wave + 1] += touched * sectorBytes;
        if (last < n)
          again[last * n + wave] += reads;
        last = wave;
      }
    }
  for (uint32_t b = 0; b < n; ++b)
    before[b + 1] += before[b];
  double reread = 0;
  for (uint32_t a = 0; a < n; ++a)
    for (uint32_t b = a + 1; b < n; ++b)
      if (again[a * n + b]) {
        const auto between = double(before[b + 1] - before[a + 1]);
        reread += double(again[a * n + b]) * std::max(0.0, 1 - usableL2 / between);
      }
  totals.distinct += all.unrecorded;
  totals.reread = reread * sectorBytes;
  totals.dramRead = (double(read) + reread) * sectorBytes + double(all.unrecorded);
  totals.dramWritten = double(written) * sectorBytes;
  return totals;
}

void countGlobal(Warp &w, const Access &x) {
  OpCount &count = w.worker->counts[w.pc - 1];
  Traffic &traffic = w.worker->traffic;
  const bool cached = !x.write && !x.atomic && !x.uncached;
  uint64_t odd = x.mask ^ allLanes;
  for (u32 l = 0; l < lanes; ++l)
    odd |= x.address[l] ^ (x.address[0] + u64(l) * x.bytes);
  const u64 active = u64(std::popcount(x.mask)), ideal = (active * x.bytes + sectorBytes - 1) / sectorBytes;
  count.bytes += active * x.bytes;
  if (!odd) { // one run of bytes: most requests
    const u64 end = x.address[0] + u64(lanes) * x.bytes;
    count.sectors += (end - 1) / sectorBytes - x.address[0] / sectorBytes + 1;
    count.idealSectors += ideal;
    count.l2 += traffic.touchRange(x.address[0], end - x.address[0], x.write, cached);
    return;
  }
  u64 line[lanes * 2];
  u32 sectors[lanes * 2], n = 0;
  auto add = [&](u64 sector) {
    const u64 of = sector / 4;
    u32 at = n;
    while (at > 0 && line[at - 1] != of)
      --at;
    if (at == 0)
      line[n] = of, sectors[n] = 0, at = ++n;
    sectors[at - 1] |= 1u << (sector % 4);
  };
  for (u32 l = 0; l < lanes; ++l)
    if (x.mask >> l & 1) {
      const u64 first = x.address[l] / sectorBytes, last = (x.address[l] + x.bytes - 1) / sectorBytes;
      add(first);
      if (last != first)
        add(last);
    }
  u64 all = 0;
  for (u32 i = 0; i < n; ++i) {
    all += u64(std::popcount(sectors[i]));
    count.l2 += traffic.touch(line[i], sectors[i], x.write, cached);
  }
  count.sectors += all;
  count.idealSectors += std::min(ideal, all);
}

} // namespace tessera::vgpu
