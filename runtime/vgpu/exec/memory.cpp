#include "runtime/vgpu/exec/memory.h"
#include <sys/mman.h>
#include <utility>

namespace tessera::vgpu {
namespace {
constexpr uint64_t granule = 512;                 // alignment of an allocation, as on the hardware (256) or better
constexpr uint64_t guard = 4096;                  // bytes between two allocations that belong to nobody
constexpr uint64_t firstAddress = 0x200000000000; // a fixed place, so that runs print the same addresses

uint64_t roundUp(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }
} // namespace

Memory::Memory(uint64_t capacity, uint32_t device) : bytes(capacity) {
  // Freed ranges are not reused at once, so reserve more addresses than there is memory; pages appear when touched.
  reserved = capacity * 4;
  auto *hint = reinterpret_cast<void *>(firstAddress + uint64_t(device) * (1ull << 40));
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#if defined(__has_feature)
  constexpr bool anyPlace = __has_feature(thread_sanitizer); // which has that range for itself
#else
  constexpr bool anyPlace = false;
#endif
#ifdef MAP_FIXED_NOREPLACE
  void *at = anyPlace ? MAP_FAILED : mmap(hint, reserved, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == MAP_FAILED)
#else
  void *at;
#endif
    at = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, flags, -1, 0);
  base = at == MAP_FAILED ? 0 : reinterpret_cast<uint64_t>(at);
  if (!base)
    bytes = reserved = 0;
  cursor = base;
}

Memory::~Memory() {
  if (base)
    munmap(reinterpret_cast<void *>(base), reserved);
}

uint64_t Memory::allocate(uint64_t size) {
  uint64_t take = roundUp(size, granule);
  if (size == 0 || size > bytes || take > bytes - inUse)
    return 0;
  uint64_t span = roundUp(take + guard, 4096);
  if (cursor + span > base + reserved) {
    // Addresses have run out: start over in the gaps that freed allocations left.
    for (auto it = allocations.begin(); it != allocations.end();)
      it = it->second.freed ? allocations.erase(it) : std::next(it);
    uint64_t at = base;
    for (const auto &[start, a] : allocations) {
      if (a.host)
        continue;
      if (at + span <= start)
        break;
      at = std::max(at, roundUp(start + a.size + guard, 4096));
    }
    if (at + span > base + reserved)
      return 0;
    cursor = at;
  }
  uint64_t start = cursor;
  auto next = allocations.upper_bound(start);
  if (next != allocations.end() && !next->second.host && start + span > next->first) {
    cursor = base + reserved; // search the gaps
    return allocate(size);
  }
  cursor += span;
  inUse += take;
  Allocation &made = allocations[start];
  made = {start, size, nextId++};
  if (trackWrites)
    made.written = std::make_unique<uint8_t[]>(size);
  return start;
}

uint64_t Memory::adoptHost(uint64_t address, uint64_t size) {
  Allocation &made = allocations[address];
  made = {address, size, nextId++};
  made.host = true;
  return address;
}

bool Memory::release(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end() || found->second.freed)
    return false;
  if (found->second.host) {
    allocations.erase(found);
    return true;
  }
  found->second.freed = true;
  found->second.written.reset();
  inUse -= roundUp(found->second.size, granule);
  // Give the pages back; a later read sees zeros, and is reported anyway.
  madvise(reinterpret_cast<void *>(address), roundUp(found->second.size, 4096), MADV_DONTNEED);
  return true;
}

bool Memory::charge(uint64_t size) {
  if (size > bytes - inUse)
    return false;
  inUse += size;
  return true;
}

const Allocation *Memory::find(uint64_t address) const {
  auto next = allocations.upper_bound(address);
  if (next != allocations.begin())
    if (const Allocation &a = std::prev(next)->second; address - a.start < a.size)
      return &a;
  for (const Memory *peer : peers) {
    auto after = peer->allocations.upper_bound(address);
    if (after == peer->allocations.begin())
      continue;
    if (const Allocation &a = std::prev(after)->second; address - a.start < a.size)
      return &a;
  }
  return nullptr;
}

Allocation *Memory::find(uint64_t address) { return const_cast<Allocation *>(std::as_const(*this).find(address)); }

const Allocation *Memory::before(uint64_t address) const {
  auto next = allocations.upper_bound(address);
  return next == allocations.begin() ? nullptr : &std::prev(next)->second;
}

} // namespace tessera::vgpu
