// Entry points: copies and sets.
#include "runtime/vgpu/driver/work.h"

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
constexpr int device = 2, unified = 4; // CUmemorytype

uint64_t number(const void *p) { return reinterpret_cast<uint64_t>(p); }

CUresult copy(CUstream stream, uint64_t to, uint64_t from, size_t bytes, int toType, int fromType) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (bytes == 0)
    return streamOf(stream) ? SUCCESS : INVALID_HANDLE;
  return submit(stream, plainCopy(to, from, bytes, toType, fromType));
}

CUresult copyBox(const Memcpy3D *box, CUstream stream) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!box)
    return INVALID_VALUE;
  CopyWork work{*box};
  return submit(stream, work);
}

CUresult copyPlane(const Memcpy2D *c, CUstream stream) {
  Memcpy3D box{};
  if (c) {
    box.srcX = c->srcX, box.srcY = c->srcY, box.srcType = c->srcType, box.srcPitch = c->srcPitch;
    box.srcHost = c->srcHost, box.srcDevice = c->srcDevice;
    box.dstX = c->dstX, box.dstY = c->dstY, box.dstType = c->dstType, box.dstPitch = c->dstPitch;
    box.dstHost = c->dstHost, box.dstDevice = c->dstDevice;
    box.width = c->width, box.height = c->height, box.depth = 1;
  }
  return copyBox(c ? &box : nullptr, stream);
}

CUresult peerBox(const Memcpy3DPeer *c, CUstream stream) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!c)
    return INVALID_VALUE;
  if (!streamOf(stream))
    return INVALID_HANDLE;
  for (void *context : {c->reserved0, c->reserved1})
    if (!alive(context, contextKind))
      return INVALID_CONTEXT;
  return copyBox(c, stream);
}

CUresult set(CUstream stream, CUdeviceptr to, size_t pitch, unsigned value, unsigned element, size_t width,
             size_t height) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return submit(stream, MemsetNodeParams{to, pitch, value, element, width, height});
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream s) {
  return copy(s, to, number(from), n, device, unified);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream s) {
  return copy(s, number(to), from, n, unified, device);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  return copy(s, to, from, n, device, device);
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
  return copy(s, to, from, n, unified, unified);
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
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(a, contextKind) || !alive(b, contextKind))
    return INVALID_CONTEXT;
  return copy(s, to, from, n, device, device);
}
CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext a, CUdeviceptr from, CUcontext b, size_t n) {
  return cuMemcpyPeerAsync(to, a, from, b, n, nullptr);
}
CUresult cuMemcpy2DAsync_v2(const Memcpy2D *c, CUstream s) { return copyPlane(c, s); }
CUresult cuMemcpy2D_v2(const Memcpy2D *c) { return copyPlane(c, nullptr); }
CUresult cuMemcpy2DUnaligned_v2(const Memcpy2D *c) { return copyPlane(c, nullptr); }
CUresult cuMemcpy3DAsync_v2(const Memcpy3D *c, CUstream s) { return copyBox(c, s); }
CUresult cuMemcpy3D_v2(const Memcpy3D *c) { return copyBox(c, nullptr); }
CUresult cuMemcpy3DPeerAsync(const Memcpy3DPeer *c, CUstream s) { return peerBox(c, s); }
CUresult cuMemcpy3DPeer(const Memcpy3DPeer *c) { return peerBox(c, nullptr); }
// The attributes say from when on a source may be read: work runs when it is submitted, so all of them hold.
CUresult cuMemcpyBatchAsync_v2(const CUdeviceptr *to, const CUdeviceptr *from, const size_t *bytes, size_t count,
                               const void *attributes, const size_t *indices, size_t attributeCount, CUstream s) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!to || !from || !bytes || !count || !attributes || !indices || !attributeCount || attributeCount > count)
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i)
    if (CUresult r = copy(s, to[i], from[i], bytes[i], unified, unified))
      return r;
  return SUCCESS;
}

CUresult cuMemsetD8Async(CUdeviceptr a, unsigned char v, size_t n, CUstream s) { return set(s, a, n, v, 1, n, 1); }
CUresult cuMemsetD16Async(CUdeviceptr a, unsigned short v, size_t n, CUstream s) { return set(s, a, n, v, 2, n, 1); }
CUresult cuMemsetD32Async(CUdeviceptr a, unsigned v, size_t n, CUstream s) { return set(s, a, n, v, 4, n, 1); }
CUresult cuMemsetD8_v2(CUdeviceptr a, unsigned char v, size_t n) { return set(nullptr, a, n, v, 1, n, 1); }
CUresult cuMemsetD16_v2(CUdeviceptr a, unsigned short v, size_t n) { return set(nullptr, a, n, v, 2, n, 1); }
CUresult cuMemsetD32_v2(CUdeviceptr a, unsigned v, size_t n) { return set(nullptr, a, n, v, 4, n, 1); }
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
