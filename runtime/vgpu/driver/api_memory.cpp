// Entry points: memory of devices and of the host, and what a pointer points to.
#include "runtime/vgpu/driver/work.h"
#include <cstdlib>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
using Origin = HostRange::Origin;
constexpr uint64_t mostHost = uint64_t(1) << 40; // bytes of one host allocation

uint64_t number(const void *p) { return reinterpret_cast<uint64_t>(p); }

// The range of host memory that holds an address, or null.
const std::pair<const uint64_t, HostRange> *hostRange(uint64_t address) {
  auto next = state().hostRanges.upper_bound(address);
  if (next == state().hostRanges.begin())
    return nullptr;
  const auto &range = *std::prev(next);
  return address - range.first < range.second.bytes ? &range : nullptr;
}
bool isManaged(uint64_t address) {
  const auto *range = hostRange(address);
  return range && range->second.origin == Origin::managed;
}

CUresult allocate(CUdeviceptr *address, size_t bytes) {
  if (CUresult r = ready())
    return r;
  if (!address || bytes == 0)
    return INVALID_VALUE;
  if (CUresult r = forbiddenByCapture())
    return r;
  CUdeviceptr made = current()->device->memory->allocate(bytes);
  if (!made)
    return OUT_OF_MEMORY;
  current()->allocations.insert(made);
  *address = made;
  return SUCCESS;
}

int ordinalOf(const Memory *memory) {
  for (const Device &d : state().devices)
    if (d.memory.get() == memory)
      return d.ordinal;
  return -2;
}

// What CUpointer_attribute asks; sizes as the reference says.
CUresult pointerAttribute(void *data, int attribute, CUdeviceptr address) {
  Memory *m = memoryHolding(address);
  if (!m)
    return INVALID_VALUE;
  const Allocation *a = m->find(address);
  const bool managed = isManaged(address), onHost = a->host && hostRange(address) && !managed;
  auto pool = state().pooled.find(a->start);
  switch (attribute) {
  case 1: {
    ContextObject *owner = current();
    for (ContextObject *c : allOf<ContextObject>(contextKind))
      if (c->allocations.count(a->start))
        owner = c;
    *static_cast<CUcontext *>(data) = owner;
    return SUCCESS;
  }
  case 2:
    *static_cast<unsigned *>(data) = onHost ? 1 : 2;
    return SUCCESS;
  case 3:
    *static_cast<CUdeviceptr *>(data) = address;
    return SUCCESS;
  case 4:
    if (!onHost && !managed)
      return INVALID_VALUE;
    *static_cast<void **>(data) = reinterpret_cast<void *>(address);
    return SUCCESS;
  case 6:
  case 10:
  case 15:
    *static_cast<int *>(data) = 0;
    return SUCCESS;
  case 7:
  case 20:
    *static_cast<unsigned long long *>(data) = a->id;
    return SUCCESS;
  case 8:
    *static_cast<int *>(data) = managed;
    return SUCCESS;
  case 9:
    *static_cast<int *>(data) = onHost ? current()->device->ordinal : ordinalOf(m);
    return SUCCESS;
  case 11:
  case 19:
    *static_cast<CUdeviceptr *>(data) = a->start;
    return SUCCESS;
  case 12:
  case 18:
    *static_cast<size_t *>(data) = a->size;
    return SUCCESS;
  case 13:
    *static_cast<int *>(data) = 1;
    return SUCCESS;
  case 14:
    *static_cast<unsigned long long *>(data) = 0;
    return SUCCESS;
  case 16:
    *static_cast<int *>(data) = 3;
    return SUCCESS;
  case 17:
    *static_cast<CUmemoryPool *>(data) = pool == state().pooled.end() ? nullptr : pool->second;
    return SUCCESS;
  default:
    return NOT_SUPPORTED;
  }
}

// Bytes of an attribute's answer.
size_t attributeBytes(int attribute) {
  switch (attribute) {
  case 2:
  case 6:
  case 8:
  case 9:
  case 10:
  case 13:
  case 15:
  case 16:
    return 4;
  default:
    return 8;
  }
}

CUresult checkManaged(CUdeviceptr address, size_t bytes) {
  if (CUresult r = ready())
    return r;
  return bytes == 0 || checkRange(address, bytes) || !isManaged(address) ? INVALID_VALUE : SUCCESS;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!free || !total)
    return INVALID_VALUE;
  const Memory &m = *current()->device->memory;
  *free = m.capacity() - m.used();
  *total = m.capacity();
  return SUCCESS;
}
CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  Guard hold;
  return allocate(address, bytes);
}
CUresult cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (flags != 1 && flags != 2) // global or host
    return INVALID_VALUE;
  if (CUresult r = allocate(address, bytes))
    return r;
  state().hostRanges[*address] = {bytes, flags, Origin::managed};
  for (Device &d : state().devices)
    if (&d != current()->device)
      d.memory->adoptHost(*address, bytes);
  return SUCCESS;
}
CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width, size_t height, unsigned element) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!address || !pitch || !width || !height || (element != 4 && element != 8 && element != 16))
    return INVALID_VALUE;
  size_t bytes = 0, row = (width + 511) / 512 * 512;
  if (width > mostHost || __builtin_mul_overflow(row, height, &bytes))
    return OUT_OF_MEMORY;
  if (CUresult r = allocate(address, bytes))
    return r;
  *pitch = row;
  return SUCCESS;
}
CUresult cuMemFree_v2(CUdeviceptr address) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!address)
    return SUCCESS;
  if (CUresult r = forbiddenByCapture())
    return r;
  for (ContextObject *c : allOf<ContextObject>(contextKind)) {
    if (!c->allocations.erase(address))
      continue;
    if (isManaged(address))
      dropEverywhere(address);
    if (auto pooled = state().pooled.find(address); pooled != state().pooled.end()) {
      if (alive(pooled->second, poolKind))
        pooled->second->used -= c->device->memory->find(address)->size;
      state().pooled.erase(pooled);
    }
    c->device->memory->release(address);
    return SUCCESS;
  }
  return INVALID_VALUE;
}
CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *size, CUdeviceptr address) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  Memory *m = memoryHolding(address);
  if (!m)
    return NOT_FOUND;
  const Allocation *a = m->find(address);
  if (base)
    *base = a->start;
  if (size)
    *size = a->size;
  return SUCCESS;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!pointer || bytes == 0 || flags & ~7u)
    return INVALID_VALUE;
  if (CUresult r = forbiddenByCapture())
    return r;
  void *made = bytes > mostHost ? nullptr : std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!made)
    return OUT_OF_MEMORY;
  *pointer = made;
  adoptEverywhere(number(made), bytes, Origin::allocated, flags | 2);
  return SUCCESS;
}
CUresult cuMemAllocHost_v2(void **pointer, size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }
CUresult cuMemAllocHost(void **pointer, size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }
CUresult cuMemFreeHost(void *pointer) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  auto found = state().hostRanges.find(number(pointer));
  if (found == state().hostRanges.end() || found->second.origin != Origin::allocated)
    return INVALID_VALUE;
  if (CUresult r = forbiddenByCapture())
    return r;
  dropEverywhere(number(pointer));
  std::free(pointer);
  return SUCCESS;
}
CUresult cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!pointer || !bytes || flags & ~15u || number(pointer) + bytes < number(pointer))
    return INVALID_VALUE;
  auto next = state().hostRanges.lower_bound(number(pointer));
  const bool before = hostRange(number(pointer)) != nullptr;
  if (before || (next != state().hostRanges.end() && next->first < number(pointer) + bytes))
    return HOST_MEMORY_ALREADY_REGISTERED;
  if (memoryHolding(number(pointer)))
    return INVALID_VALUE; // a device's own
  adoptEverywhere(number(pointer), bytes, Origin::registered, flags | 2);
  return SUCCESS;
}
CUresult cuMemHostRegister(void *pointer, size_t bytes, unsigned flags) {
  return cuMemHostRegister_v2(pointer, bytes, flags);
}
CUresult cuMemHostUnregister(void *pointer) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!pointer)
    return INVALID_VALUE;
  auto found = state().hostRanges.find(number(pointer));
  if (found == state().hostRanges.end() || found->second.origin != Origin::registered)
    return HOST_MEMORY_NOT_REGISTERED;
  dropEverywhere(number(pointer));
  return SUCCESS;
}
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!address || flags || !hostRange(number(pointer)))
    return INVALID_VALUE;
  *address = number(pointer);
  return SUCCESS;
}
CUresult cuMemHostGetFlags(unsigned *flags, void *pointer) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  const auto *range = hostRange(number(pointer));
  if (!flags || !range || range->second.origin == Origin::managed)
    return INVALID_VALUE;
  *flags = range->second.flags;
  return SUCCESS;
}

CUresult cuPointerGetAttribute(void *data, int attribute, CUdeviceptr address) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return data ? pointerAttribute(data, attribute, address) : INVALID_VALUE;
}
// For memory that the driver does not know all answers are zero, and the call succeeds.
CUresult cuPointerGetAttributes(unsigned count, const int *attributes, void **data, CUdeviceptr address) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!count || !attributes || !data)
    return INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i)
    if (!data[i] || attributes[i] < 1 || attributes[i] > 21)
      return INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i)
    if (pointerAttribute(data[i], attributes[i], address)) {
      std::fill_n(static_cast<char *>(data[i]), attributeBytes(attributes[i]), '\0');
      if (attributes[i] == 9)
        *static_cast<int *>(data[i]) = -2;
    }
  return SUCCESS;
}
CUresult cuPointerSetAttribute(const void *value, int attribute, CUdeviceptr address) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return value && attribute == 6 && memoryHolding(address) ? SUCCESS : INVALID_VALUE; // 6: synchronous copies
}

// Managed memory lies where host and devices both reach it: advice changes nothing but is checked.
CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, int advice, MemLocation location) {
  Guard hold;
  if (CUresult r = checkManaged(address, bytes))
    return r;
  if (location.type == 1 && !deviceAt(location.id))
    return INVALID_DEVICE;
  return advice >= 1 && advice <= 6 ? SUCCESS : INVALID_VALUE;
}
CUresult cuMemAdvise(CUdeviceptr address, size_t bytes, int advice, CUdevice device) {
  return cuMemAdvise_v2(address, bytes, advice, device < 0 ? MemLocation{2, 0} : MemLocation{1, device});
}
CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, MemLocation location, unsigned flags, CUstream s) {
  Guard hold;
  if (CUresult r = checkManaged(address, bytes))
    return r;
  if (location.type == 1 && !deviceAt(location.id))
    return INVALID_DEVICE;
  if (flags || location.type < 1 || location.type > 4)
    return INVALID_VALUE;
  return streamOf(s) ? SUCCESS : INVALID_HANDLE;
}
CUresult cuMemPrefetchAsync(CUdeviceptr address, size_t bytes, CUdevice device, CUstream s) {
  return cuMemPrefetchAsync_v2(address, bytes, device < 0 ? MemLocation{2, 0} : MemLocation{1, device}, 0, s);
}
CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr address, size_t, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!streamOf(stream))
    return INVALID_HANDLE;
  return flags && flags <= 4 && isManaged(address) ? SUCCESS : INVALID_VALUE;
}
}
#pragma GCC visibility pop
