// Global memory of one virtual device: a reserved range of addresses, allocations with guard gaps, their lookup.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace tessera::vgpu {

struct Allocation {
  uint64_t start = 0, size = 0; // bytes
  uint32_t id = 0;
  bool freed = false;                 // kept for a while, so that a use after free has a name
  bool readOnly = false;              // .const variables
  bool host = false;                  // page-locked host memory, reached at its own address
  std::unique_ptr<uint8_t[]> written; // one byte a byte when uninitialised reads are looked for
};

// Addresses are host addresses of the reservation, so that a kernel's loads need no translation. Not thread-safe: the
// driver holds its lock; kernels only look up.
class Memory {
public:
  Memory(uint64_t capacity, uint32_t device);
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  // The address of `size` bytes aligned to 512, or 0 when the capacity does not hold them.
  uint64_t allocate(uint64_t size);
  uint64_t adoptHost(uint64_t address, uint64_t size);
  // False when `address` does not begin a live allocation.
  bool release(uint64_t address);
  // The allocation that holds `address`, freed ones included; null when none does.
  const Allocation *find(uint64_t address) const;
  Allocation *find(uint64_t address);
  // The one that ends nearest before `address`: for messages.
  const Allocation *before(uint64_t address) const;

  uint64_t capacity() const { return bytes; }
  uint64_t used() const { return inUse; }
  // Takes memory that has addresses elsewhere (cuMemCreate) from the capacity; false when there is not enough.
  bool charge(uint64_t size);
  void discharge(uint64_t size) { inUse -= size; }
  bool trackWrites = false;    // applies to allocations made from now on
  std::vector<Memory *> peers; // other devices' memory that this device's kernels reach

private:
  std::map<uint64_t, Allocation> allocations; // by start
  uint64_t base = 0, reserved = 0, cursor = 0;
  uint64_t bytes = 0, inUse = 0;
  uint32_t nextId = 1;
};

} // namespace tessera::vgpu
