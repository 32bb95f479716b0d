// Entry points: memory, copies, sets. Copies run when they are submitted; streams keep their order by that.
#include "runtime/vgpu/driver/state.h"
#include <cstdlib>
#include <cstring>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
using Guard = std::lock_guard<std::recursive_mutex>;
using NodeType = NodeObject::Type;

double copyUs(size_t bytes) { return 4.0 + double(bytes) / 12e3; } // PCIe 3 x16 in practice: 12 GB/s

// Bytes that the host or a copy wrote count as initialised.
void markWritten(uint64_t address, size_t bytes) {
  if (Memory *memory = memoryHolding(address))
    if (Allocation *a = memory->find(address); a->written)
      std::memset(a->written.get() + (address - a->start), 1,
                  std::min<uint64_t>(bytes, a->size - (address - a->start)));
}

CUresult copy(CUstream stream, uint64_t to, uint64_t from, size_t bytes, bool toDevice, bool fromDevice) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (bytes == 0)
    return SUCCESS;
  if (!to || !from || (toDevice && checkRange(to, bytes)) || (fromDevice && checkRange(from, bytes)))
    return INVALID_VALUE;
  return submit(stream, NodeType::memcpy, [=](StreamObject &s) {
    if ((toDevice && checkRange(to, bytes)) || (fromDevice && checkRange(from, bytes)))
      return INVALID_VALUE;
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes);
    markWritten(to, bytes);
    s.clockUs += toDevice && fromDevice ? 3.0 + 2.0 * double(bytes) / (s.context->device->chip->rates.dramGBs * 1e3)
                                        : copyUs(bytes);
    return SUCCESS;
  });
}
bool isDevice(uint64_t address) { return memoryHolding(address) != nullptr; }

uint64_t number(const void *p) { return reinterpret_cast<uint64_t>(p); }

CUresult set(CUstream stream, CUdeviceptr to, size_t pitch, uint32_t value, uint32_t element, size_t width,
             size_t height) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (width == 0 || height == 0)
    return SUCCESS;
  if (to % element || (height > 1 && pitch < width * element))
    return INVALID_VALUE;
  size_t bytes = (height - 1) * pitch + width * element;
  if (checkRange(to, bytes))
    return INVALID_VALUE;
  return submit(stream, NodeType::memset, [=](StreamObject &s) {
    if (checkRange(to, bytes))
      return INVALID_VALUE;
    for (size_t y = 0; y < height; ++y) {
      auto *row = reinterpret_cast<uint8_t *>(to + y * pitch);
      for (size_t x = 0; x < width; ++x)
        std::memcpy(row + x * element, &value, element);
      markWritten(to + y * pitch, width * element);
    }
    s.clockUs += 2.0 + double(bytes) / (s.context->device->chip->rates.dramGBs * 1e3);
    return SUCCESS;
  });
}

struct Side {
  int type;
  uint64_t host, device, pitch, height, x, y, z;
  bool bad() const { return type != 1 && type != 2 && type != 4; }
  uint64_t base() const { return type == 1 ? host : device; }
  bool onDevice() const { return type != 1 && isDevice(device); }
};

CUresult copyBox(CUstream stream, const Side &from, const Side &to, size_t width, size_t height, size_t depth) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (from.bad() || to.bad() || (height > 1 && (from.pitch < width || to.pitch < width)))
    return INVALID_VALUE;
  for (size_t z = 0; z < depth; ++z)
    for (size_t y = 0; y < height; ++y) {
      uint64_t s = from.base() + ((from.z + z) * from.height + from.y + y) * from.pitch + from.x;
      uint64_t d = to.base() + ((to.z + z) * to.height + to.y + y) * to.pitch + to.x;
      if (CUresult r = copy(stream, d, s, width, to.type == 2 || to.onDevice(), from.type == 2 || from.onDevice()))
        return r;
    }
  return SUCCESS;
}
Side source(const Memcpy2D &c) { return {c.srcType, number(c.srcHost), c.srcDevice, c.srcPitch, 0, c.srcX, c.srcY, 0}; }
Side target(const Memcpy2D &c) { return {c.dstType, number(c.dstHost), c.dstDevice, c.dstPitch, 0, c.dstX, c.dstY, 0}; }
Side source(const Memcpy3D &c) {
  return {c.srcType, number(c.srcHost), c.srcDevice, c.srcPitch, c.srcHeight, c.srcX, c.srcY, c.srcZ};
}
Side target(const Memcpy3D &c) {
  return {c.dstType, number(c.dstHost), c.dstDevice, c.dstPitch, c.dstHeight, c.dstX, c.dstY, c.dstZ};
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  Memory &m = *current()->device->memory;
  if (free)
    *free = m.capacity() - m.used();
  if (total)
    *total = m.capacity();
  return SUCCESS;
}
CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!address || bytes == 0)
    return INVALID_VALUE;
  *address = current()->device->memory->allocate(bytes);
  if (!*address)
    return OUT_OF_MEMORY;
  current()->allocations.insert(*address);
  return SUCCESS;
}
CUresult cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned) { return cuMemAlloc_v2(address, bytes); }
CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width, size_t height, unsigned element) {
  if (!pitch || !width || !height || (element != 4 && element != 8 && element != 16) || width > (1ull << 40) ||
      height > (1ull << 30))
    return INVALID_VALUE;
  *pitch = (width + 511) / 512 * 512;
  return cuMemAlloc_v2(address, *pitch * height);
}
CUresult cuMemFree_v2(CUdeviceptr address) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!address)
    return SUCCESS;
  for (Device &d : state().devices)
    if (const Allocation *a = d.memory->find(address);
        a && a->start == address && !a->host && d.memory->release(address)) {
      for (auto &[handle, kind] : state().handles)
        if (kind == contextKind)
          static_cast<ContextObject *>(const_cast<void *>(handle))->allocations.erase(address);
      return SUCCESS;
    }
  return INVALID_VALUE;
}
CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  return !s ? INVALID_HANDLE : s->capture ? STREAM_CAPTURE_UNSUPPORTED : cuMemAlloc_v2(address, bytes);
}
CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  return !s ? INVALID_HANDLE : s->capture ? STREAM_CAPTURE_UNSUPPORTED : cuMemFree_v2(address);
}
CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *size, CUdeviceptr address) {
  Guard hold(state().lock);
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

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!pointer || bytes == 0)
    return INVALID_VALUE;
  *pointer = bytes > (1ull << 40) ? nullptr : std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*pointer)
    return OUT_OF_MEMORY;
  state().hostAllocations[number(*pointer)] = bytes;
  for (Device &d : state().devices)
    d.memory->adoptHost(number(*pointer), bytes);
  return SUCCESS;
}
CUresult cuMemAllocHost_v2(void **pointer, size_t bytes) { return cuMemHostAlloc(pointer, bytes, 0); }
CUresult cuMemFreeHost(void *pointer) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!state().hostAllocations.erase(number(pointer)))
    return INVALID_VALUE;
  for (Device &d : state().devices)
    d.memory->release(number(pointer));
  std::free(pointer);
  return SUCCESS;
}
CUresult cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!pointer || !bytes)
    return INVALID_VALUE;
  if (memoryHolding(number(pointer)))
    return HOST_MEMORY_ALREADY_REGISTERED;
  for (Device &d : state().devices)
    d.memory->adoptHost(number(pointer), bytes);
  return SUCCESS;
}
CUresult cuMemHostUnregister(void *pointer) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  Memory *m = memoryHolding(number(pointer));
  if (!m || !m->find(number(pointer))->host || state().hostAllocations.count(number(pointer)))
    return HOST_MEMORY_NOT_REGISTERED;
  for (Device &d : state().devices)
    d.memory->release(number(pointer));
  return SUCCESS;
}
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!address || !memoryHolding(number(pointer)))
    return INVALID_VALUE;
  *address = number(pointer);
  return SUCCESS;
}
CUresult cuPointerGetAttribute(void *data, int attribute, CUdeviceptr address) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  Memory *m = memoryHolding(address);
  if (!data || !m)
    return INVALID_VALUE;
  const Allocation *a = m->find(address);
  switch (attribute) {
  case 1:
    *static_cast<CUcontext *>(data) = current();
    return SUCCESS;
  case 2:
    *static_cast<unsigned *>(data) = a->host ? 1 : 2;
    return SUCCESS;
  case 3:
    *static_cast<CUdeviceptr *>(data) = address;
    return SUCCESS;
  case 4:
    if (!a->host)
      return INVALID_VALUE;
    *static_cast<void **>(data) = reinterpret_cast<void *>(address);
    return SUCCESS;
  case 8:
    *static_cast<unsigned *>(data) = 0;
    return SUCCESS; // managed
  case 9:
    for (Device &d : state().devices)
      if (d.memory.get() == m)
        *static_cast<int *>(data) = d.ordinal;
    return SUCCESS;
  case 11:
    *static_cast<CUdeviceptr *>(data) = a->start;
    return SUCCESS;
  case 12:
    *static_cast<size_t *>(data) = a->size;
    return SUCCESS;
  default:
    return NOT_SUPPORTED;
  }
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream s) {
  return copy(s, to, number(from), n, true, false);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream s) {
  return copy(s, number(to), from, n, false, true);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  return copy(s, to, from, n, true, true);
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  Guard hold(state().lock);
  return copy(s, to, from, n, isDevice(to), isDevice(from));
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t n) {
  return cuMemcpyHtoDAsync_v2(to, from, n, nullptr);
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t n) { return cuMemcpyDtoHAsync_v2(to, from, n, nullptr); }
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) {
  return cuMemcpyDtoDAsync_v2(to, from, n, nullptr);
}
CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t n) { return cuMemcpyAsync(to, from, n, nullptr); }
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext a, CUdeviceptr from, CUcontext b, size_t n, CUstream s) {
  Guard hold(state().lock);
  if (!alive(a, contextKind) || !alive(b, contextKind))
    return INVALID_CONTEXT;
  return copy(s, to, from, n, true, true);
}
CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext a, CUdeviceptr from, CUcontext b, size_t n) {
  return cuMemcpyPeerAsync(to, a, from, b, n, nullptr);
}
CUresult cuMemcpy2DAsync_v2(const Memcpy2D *c, CUstream s) {
  return c ? copyBox(s, source(*c), target(*c), c->width, c->height, 1) : INVALID_VALUE;
}
CUresult cuMemcpy2D_v2(const Memcpy2D *c) { return cuMemcpy2DAsync_v2(c, nullptr); }
CUresult cuMemcpy2DUnaligned_v2(const Memcpy2D *c) { return cuMemcpy2DAsync_v2(c, nullptr); }
CUresult cuMemcpy3DAsync_v2(const Memcpy3D *c, CUstream s) {
  return c ? copyBox(s, source(*c), target(*c), c->width, c->height, c->depth) : INVALID_VALUE;
}
CUresult cuMemcpy3D_v2(const Memcpy3D *c) { return cuMemcpy3DAsync_v2(c, nullptr); }

CUresult cuMemsetD8Async(CUdeviceptr a, unsigned char v, size_t n, CUstream s) { return set(s, a, n, v, 1, n, 1); }
CUresult cuMemsetD16Async(CUdeviceptr a, unsigned short v, size_t n, CUstream s) {
  return set(s, a, n * 2, v, 2, n, 1);
}
CUresult cuMemsetD32Async(CUdeviceptr a, unsigned v, size_t n, CUstream s) { return set(s, a, n * 4, v, 4, n, 1); }
CUresult cuMemsetD8_v2(CUdeviceptr a, unsigned char v, size_t n) { return set(nullptr, a, n, v, 1, n, 1); }
CUresult cuMemsetD16_v2(CUdeviceptr a, unsigned short v, size_t n) { return set(nullptr, a, n * 2, v, 2, n, 1); }
CUresult cuMemsetD32_v2(CUdeviceptr a, unsigned v, size_t n) { return set(nullptr, a, n * 4, v, 4, n, 1); }
CUresult cuMemsetD2D8_v2(CUdeviceptr a, size_t p, unsigned char v, size_t w, size_t h) {
  return set(nullptr, a, p, v, 1, w, h);
}
CUresult cuMemsetD2D16_v2(CUdeviceptr a, size_t p, unsigned short v, size_t w, size_t h) {
  return set(nullptr, a, p, v, 2, w, h);
}
CUresult cuMemsetD2D32_v2(CUdeviceptr a, size_t p, unsigned v, size_t w, size_t h) {
  return set(nullptr, a, p, v, 4, w, h);
}
CUresult cuMemsetD2D8Async(CUdeviceptr a, size_t p, unsigned char v, size_t w, size_t h, CUstream s) {
  return set(s, a, p, v, 1, w, h);
}
CUresult cuMemsetD2D16Async(CUdeviceptr a, size_t p, unsigned short v, size_t w, size_t h, CUstream s) {
  return set(s, a, p, v, 2, w, h);
}
CUresult cuMemsetD2D32Async(CUdeviceptr a, size_t p, unsigned v, size_t w, size_t h, CUstream s) {
  return set(s, a, p, v, 4, w, h);
}
}
#pragma GCC visibility pop
