// Entry points: virtual memory management. Physical memory is a file in memory, a reservation a range of addresses, and
// what a device may access of it is one allocation for every stretch without a gap.
#include "runtime/vgpu/driver/state.h"
#include <sys/mman.h>
#include <unistd.h>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
constexpr uint64_t granularity = 2 << 20;
constexpr uint64_t mostReserved = uint64_t(1) << 46;

struct Physical {
  int file = -1;
  uint64_t bytes = 0;
  AllocationProp prop{};
  unsigned handles = 1; // that the program holds
  unsigned mappings = 0;
};
struct Mapping {
  uint64_t bytes = 0, offset = 0;
  uint64_t physical = 0;
  std::map<int, int> access; // by device: 1 read, 3 read and write
};
struct Reservation {
  uint64_t bytes = 0, whole = 0, wholeBytes = 0; // `whole`: with what the alignment took
  std::map<uint64_t, Mapping> mappings;
  std::map<int, std::vector<uint64_t>> adopted; // by device: allocations made of it
};
struct Virtual {
  std::map<uint64_t, Physical> physical; // by handle
  std::map<uint64_t, Reservation> reservations;
  uint64_t nextHandle = 0x7e55e7a000000001; // no address that anybody has
};
Virtual &all() {
  static auto *made = new Virtual;
  return *made;
}

void *pointer(uint64_t address) { return reinterpret_cast<void *>(address); }

// The reservation that holds all of a range.
Reservation *reservationOf(uint64_t address, uint64_t bytes) {
  auto next = all().reservations.upper_bound(address);
  if (next == all().reservations.begin())
    return nullptr;
  auto &[start, r] = *std::prev(next);
  return address - start < r.bytes && bytes <= r.bytes - (address - start) ? &r : nullptr;
}

// The mappings that make up a range exactly; empty where they do not.
std::vector<std::pair<const uint64_t, Mapping> *> mappingsOf(Reservation &r, uint64_t address, uint64_t bytes) {
  std::vector<std::pair<const uint64_t, Mapping> *> found;
  uint64_t at = address;
  for (auto it = r.mappings.find(address); it != r.mappings.end() && it->first == at && at < address + bytes; ++it) {
    found.push_back(&*it);
    at += it->second.bytes;
  }
  if (at != address + bytes)
    found.clear();
  return found;
}

void adoptAgain(Reservation &r) {
  for (Device &d : state().devices) {
    for (uint64_t start : r.adopted[d.ordinal])
      d.memory->release(start);
    r.adopted[d.ordinal].clear();
    for (auto it = r.mappings.begin(); it != r.mappings.end();) {
      const uint64_t start = it->first;
      const int access = it->second.access[d.ordinal];
      uint64_t end = start;
      for (; it != r.mappings.end() && it->first == end && it->second.access[d.ordinal] == access; ++it)
        end += it->second.bytes;
      if (!access)
        continue;
      d.memory->adoptHost(start, end - start);
      d.memory->find(start)->readOnly = access == 1;
      r.adopted[d.ordinal].push_back(start);
    }
  }
}

void dropIfUnused(uint64_t handle) {
  auto found = all().physical.find(handle);
  if (found->second.handles || found->second.mappings)
    return;
  close(found->second.file);
  if (Device *d = deviceAt(found->second.prop.location.id))
    d->memory->discharge(found->second.bytes);
  all().physical.erase(found);
}

CUresult checkProp(const AllocationProp *prop) {
  if (!prop || prop->type != 1)
    return INVALID_VALUE;
  if (prop->location.type != 1 || prop->handleTypes)
    return NOT_SUPPORTED; // of a device, and not to be shared with another process
  return deviceAt(prop->location.id) ? SUCCESS : INVALID_DEVICE;
}
bool held(uint64_t handle) {
  auto found = all().physical.find(handle);
  return found != all().physical.end() && found->second.handles;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuMemGetAllocationGranularity(size_t *bytes, const AllocationProp *prop, int option) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!bytes || option < 0 || option > 1)
    return INVALID_VALUE;
  if (CUresult r = checkProp(prop))
    return r;
  *bytes = granularity;
  return SUCCESS;
}
CUresult cuMemCreate(uint64_t *handle, size_t bytes, const AllocationProp *prop, unsigned long long flags) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!handle || !bytes || bytes % granularity || flags)
    return INVALID_VALUE;
  if (CUresult r = checkProp(prop))
    return r;
  Memory &memory = *deviceAt(prop->location.id)->memory;
  if (!memory.charge(bytes))
    return OUT_OF_MEMORY;
  const int file = memfd_create("tessera-vgpu", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, off_t(bytes))) {
    if (file >= 0)
      close(file);
    memory.discharge(bytes);
    return OUT_OF_MEMORY;
  }
  *handle = all().nextHandle++;
  all().physical[*handle] = {file, bytes, *prop};
  return SUCCESS;
}
CUresult cuMemRelease(uint64_t handle) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!held(handle))
    return INVALID_VALUE;
  --all().physical[handle].handles;
  dropIfUnused(handle);
  return SUCCESS;
}
CUresult cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment, CUdeviceptr wish,
                             unsigned long long flags) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!address || !bytes || bytes % granularity || flags || (alignment & (alignment - 1)))
    return INVALID_VALUE;
  const uint64_t align = std::max<uint64_t>(alignment, granularity);
  if (bytes > mostReserved || align > mostReserved)
    return OUT_OF_MEMORY;
  const uint64_t whole = bytes + align;
  void *at =
      mmap(pointer(wish % align ? 0 : wish), whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return OUT_OF_MEMORY;
  const uint64_t begin = reinterpret_cast<uint64_t>(at), start = (begin + align - 1) / align * align;
  all().reservations[start] = {bytes, begin, whole};
  *address = start;
  return SUCCESS;
}
CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) {
  Guard hold;
  if (CUresult r = started())
    return r;
  auto found = all().reservations.find(address);
  if (found == all().reservations.end() || found->second.bytes != bytes || !found->second.mappings.empty())
    return INVALID_VALUE;
  munmap(pointer(found->second.whole), found->second.wholeBytes);
  all().reservations.erase(found);
  return SUCCESS;
}
CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, uint64_t handle, unsigned long long flags) {
  Guard hold;
  if (CUresult r = started())
    return r;
  Reservation *r = reservationOf(address, bytes);
  if (!held(handle) || !r || !bytes || bytes % granularity || address % granularity || offset % granularity || flags)
    return INVALID_VALUE;
  Physical &physical = all().physical[handle];
  if (offset > physical.bytes || bytes > physical.bytes - offset)
    return INVALID_VALUE;
  auto next = r->mappings.lower_bound(address);
  if ((next != r->mappings.end() && next->first < address + bytes) ||
      (next != r->mappings.begin() && std::prev(next)->first + std::prev(next)->second.bytes > address))
    return INVALID_VALUE; // mapped already
  if (mmap(pointer(address), bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, physical.file, off_t(offset)) == MAP_FAILED)
    return OPERATING_SYSTEM;
  ++physical.mappings;
  r->mappings[address] = {bytes, offset, handle, {}};
  return SUCCESS;
}
CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
  Guard hold;
  if (CUresult r = started())
    return r;
  Reservation *r = reservationOf(address, bytes);
  if (!r || !bytes)
    return INVALID_VALUE;
  auto mapped = mappingsOf(*r, address, bytes);
  if (mapped.empty())
    return INVALID_VALUE;
  mmap(pointer(address), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  std::vector<std::pair<uint64_t, uint64_t>> gone;
  for (auto *entry : mapped)
    gone.emplace_back(entry->first, entry->second.physical);
  for (auto [start, handle] : gone) {
    r->mappings.erase(start);
    --all().physical[handle].mappings;
    dropIfUnused(handle);
  }
  adoptAgain(*r);
  return SUCCESS;
}
CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const MemAccess *access, size_t count) {
  Guard hold;
  if (CUresult r = started())
    return r;
  Reservation *r = reservationOf(address, bytes);
  if (!r || !bytes || !access || !count)
    return INVALID_VALUE;
  auto mapped = mappingsOf(*r, address, bytes);
  if (mapped.empty())
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    if (access[i].location.type != 1)
      return NOT_SUPPORTED;
    if (!deviceAt(access[i].location.id))
      return INVALID_DEVICE;
    if (access[i].flags != 0 && access[i].flags != 1 && access[i].flags != 3)
      return INVALID_VALUE;
  }
  // The process itself reads and writes it for the copies.
  mprotect(pointer(address), bytes, PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < count; ++i)
    for (auto *entry : mapped)
      entry->second.access[access[i].location.id] = access[i].flags;
  adoptAgain(*r);
  return SUCCESS;
}
CUresult cuMemGetAccess(unsigned long long *flags, const MemLocation *location, CUdeviceptr address) {
  Guard hold;
  if (CUresult r = started())
    return r;
  Reservation *r = reservationOf(address, 1);
  if (!flags || !location || !r || location->type != 1)
    return INVALID_VALUE;
  if (!deviceAt(location->id))
    return INVALID_DEVICE;
  auto next = r->mappings.upper_bound(address);
  if (next == r->mappings.begin() || address - std::prev(next)->first >= std::prev(next)->second.bytes)
    return INVALID_VALUE;
  *flags = unsigned(std::prev(next)->second.access[location->id]);
  return SUCCESS;
}
CUresult cuMemGetAllocationPropertiesFromHandle(AllocationProp *prop, uint64_t handle) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!prop || !held(handle))
    return INVALID_VALUE;
  *prop = all().physical[handle].prop;
  return SUCCESS;
}
CUresult cuMemRetainAllocationHandle(uint64_t *handle, void *address) {
  Guard hold;
  if (CUresult r = started())
    return r;
  const auto at = reinterpret_cast<uint64_t>(address);
  Reservation *r = reservationOf(at, 1);
  if (!handle || !r)
    return INVALID_VALUE;
  auto next = r->mappings.upper_bound(at);
  if (next == r->mappings.begin() || at - std::prev(next)->first >= std::prev(next)->second.bytes)
    return INVALID_VALUE;
  *handle = std::prev(next)->second.physical;
  ++all().physical[*handle].handles;
  return SUCCESS;
}
}
#pragma GCC visibility pop
