// Entry points: memory in the order of a stream, and the pools that it comes from. A pool is an account, not a place:
// its memory is the device's.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

extern "C" CUresult cuMemFree_v2(CUdeviceptr address);

namespace {
CUresult allocateFrom(PoolObject &pool, CUdeviceptr *address, size_t bytes, CUstream stream) {
  if (!address || !bytes)
    return INVALID_VALUE;
  StreamObject *s = streamOf(stream);
  if (!s)
    return INVALID_HANDLE;
  if (pool.most && bytes > pool.most - std::min<uint64_t>(pool.most, pool.used))
    return OUT_OF_MEMORY;
  if (s->capture) {
    AllocWork work;
    work.params.bytes = bytes;
    work.params.pool.location = {1, pool.device->ordinal};
    if (CUresult r = reserveGraphMemory(work))
      return r;
    *address = work.params.address;
    return submit(stream, std::move(work));
  }
  CUdeviceptr made = pool.device->memory->allocate(bytes);
  if (!made)
    return OUT_OF_MEMORY;
  s->context->allocations.insert(made);
  state().pooled[made] = &pool;
  pool.used += bytes;
  pool.usedHigh = std::max(pool.usedHigh, pool.used);
  *address = made;
  return SUCCESS;
}

CUresult poolAt(const MemLocation *location, Device *&device) {
  if (CUresult r = started())
    return r;
  if (!location || location->type != 1)
    return location && location->type >= 2 && location->type <= 4 ? NOT_SUPPORTED : INVALID_VALUE;
  device = deviceAt(location->id);
  return device ? SUCCESS : INVALID_DEVICE;
}
CUresult deviceNamed(CUdevice ordinal, Device *&device) {
  MemLocation location{1, ordinal};
  return poolAt(&location, device);
}
} // namespace

namespace tessera::vgpu::driver {
CUresult reserveGraphMemory(AllocWork &work) {
  Device *device = nullptr;
  if (CUresult r = poolAt(&work.params.pool.location, device))
    return r;
  if (!work.params.bytes)
    return INVALID_VALUE;
  const uint64_t address = device->memory->allocate(work.params.bytes);
  if (!address)
    return OUT_OF_MEMORY;
  work.params.address = address;
  work.memory = std::shared_ptr<uint64_t>(new uint64_t(address), [device](uint64_t *place) {
    if (device->memory)
      device->memory->release(*place);
    delete place;
  });
  return SUCCESS;
}
} // namespace tessera::vgpu::driver

#pragma GCC visibility push(default)
extern "C" {

CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  return s ? allocateFrom(*s->context->device->pool, address, bytes, stream) : INVALID_HANDLE;
}
CUresult cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return alive(pool, poolKind) ? allocateFrom(*pool, address, bytes, stream) : INVALID_HANDLE;
}
CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s)
    return INVALID_HANDLE;
  if (s->capture)
    return submit(stream, FreeWork{address});
  for (ContextObject *c : allOf<ContextObject>(contextKind))
    if (c->allocations.count(address)) {
      const int mode = std::exchange(captureMode(), 2); // no call that synchronises
      CUresult r = cuMemFree_v2(address);
      captureMode() = mode;
      return r;
    }
  // A graph's memory may be given back outside of it; it stays until the graph goes.
  Memory *m = memoryHolding(address);
  return address && m && m->find(address)->start == address && !m->find(address)->host ? SUCCESS : INVALID_VALUE;
}

CUresult cuMemPoolCreate(CUmemoryPool *pool, const PoolProps *props) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = started())
    return r;
  if (!pool || !props || props->allocType != 1)
    return INVALID_VALUE;
  if (props->handleTypes)
    return NOT_SUPPORTED;
  if (CUresult r = poolAt(&props->location, device))
    return r;
  auto *made = new PoolObject;
  made->device = device;
  made->most = props->maxSize;
  born(made, poolKind);
  *pool = made;
  return SUCCESS;
}
CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(pool, poolKind))
    return INVALID_HANDLE;
  if (pool->isDefault)
    return INVALID_VALUE;
  for (Device &d : state().devices)
    if (d.pool == pool)
      d.pool = d.defaultPool;
  std::erase_if(state().pooled, [&](const auto &entry) { return entry.second == pool; }); // they live on without it
  died(pool);
  delete pool;
  return SUCCESS;
}
CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t) {
  Guard hold;
  if (CUresult r = started())
    return r;
  return alive(pool, poolKind) ? SUCCESS : INVALID_HANDLE;
}
// CUmemPool_attribute: 1 to 3 reuse policies (int), 4 the release threshold, 5 to 8 reserved and used, now and at most.
CUresult cuMemPoolSetAttribute(CUmemoryPool pool, int attribute, void *value) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(pool, poolKind))
    return INVALID_HANDLE;
  if (!value || attribute < 1 || attribute > 8 || attribute == 5 || attribute == 7)
    return INVALID_VALUE;
  if (attribute <= 3)
    pool->reuse[attribute] = uint64_t(*static_cast<int *>(value) != 0);
  else if (attribute == 4)
    pool->threshold = *static_cast<uint64_t *>(value);
  else if (*static_cast<uint64_t *>(value))
    return INVALID_VALUE; // the highest use can be set to zero only
  else
    pool->usedHigh = pool->used;
  return SUCCESS;
}
CUresult cuMemPoolGetAttribute(CUmemoryPool pool, int attribute, void *value) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(pool, poolKind))
    return INVALID_HANDLE;
  if (!value || attribute < 1 || attribute > 8)
    return INVALID_VALUE;
  if (attribute <= 3)
    *static_cast<int *>(value) = int(pool->reuse[attribute]);
  else
    *static_cast<uint64_t *>(value) = attribute == 4       ? pool->threshold
                                      : attribute % 2 == 1 ? pool->used
                                                           : pool->usedHigh;
  return SUCCESS;
}
CUresult cuMemPoolSetAccess(CUmemoryPool pool, const MemAccess *access, size_t count) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(pool, poolKind))
    return INVALID_HANDLE;
  if (!access || !count)
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    Device *device = nullptr;
    if (CUresult r = poolAt(&access[i].location, device))
      return r;
    if (device != pool->device) // its memory is the device's: others reach it by peer access
      return PEER_ACCESS_UNSUPPORTED;
    if (access[i].flags != 3)
      return INVALID_VALUE;
  }
  return SUCCESS;
}
CUresult cuMemPoolGetAccess(int *flags, CUmemoryPool pool, const MemLocation *location) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = started())
    return r;
  if (!alive(pool, poolKind))
    return INVALID_HANDLE;
  if (!flags)
    return INVALID_VALUE;
  if (CUresult r = poolAt(location, device))
    return r;
  *flags = device == pool->device ? 3 : 0;
  return SUCCESS;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice ordinal) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = deviceNamed(ordinal, device))
    return r;
  if (!pool)
    return INVALID_VALUE;
  *pool = device->defaultPool;
  return SUCCESS;
}
CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice ordinal) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = deviceNamed(ordinal, device))
    return r;
  if (!pool)
    return INVALID_VALUE;
  *pool = device->pool;
  return SUCCESS;
}
CUresult cuDeviceSetMemPool(CUdevice ordinal, CUmemoryPool pool) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = deviceNamed(ordinal, device))
    return r;
  if (!alive(pool, poolKind))
    return INVALID_HANDLE;
  if (pool->device != device)
    return INVALID_VALUE;
  device->pool = pool;
  return SUCCESS;
}
CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool, const MemLocation *location, int type) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = poolAt(location, device))
    return r;
  if (!pool || type != 1)
    return INVALID_VALUE;
  *pool = device->defaultPool;
  return SUCCESS;
}
CUresult cuMemGetMemPool(CUmemoryPool *pool, const MemLocation *location, int type) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = poolAt(location, device))
    return r;
  if (!pool || type != 1)
    return INVALID_VALUE;
  *pool = device->pool;
  return SUCCESS;
}
CUresult cuMemSetMemPool(const MemLocation *location, int type, CUmemoryPool pool) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = poolAt(location, device))
    return r;
  return type == 1 ? cuDeviceSetMemPool(device->ordinal, pool) : INVALID_VALUE;
}

// Memory of graphs: nothing is kept for later, so there is nothing to tell or to trim.
CUresult cuDeviceGraphMemTrim(CUdevice ordinal) {
  Guard hold;
  Device *device = nullptr;
  return deviceNamed(ordinal, device);
}
CUresult cuDeviceGetGraphMemAttribute(CUdevice ordinal, int attribute, void *value) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = deviceNamed(ordinal, device))
    return r;
  if (!value || attribute < 0 || attribute > 3)
    return INVALID_VALUE;
  *static_cast<uint64_t *>(value) = 0;
  return SUCCESS;
}
CUresult cuDeviceSetGraphMemAttribute(CUdevice ordinal, int attribute, void *value) {
  Guard hold;
  Device *device = nullptr;
  if (CUresult r = deviceNamed(ordinal, device))
    return r;
  return value && (attribute == 1 || attribute == 3) && !*static_cast<uint64_t *>(value) ? SUCCESS : INVALID_VALUE;
}
}
#pragma GCC visibility pop
