// Entry points: contexts and peers.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace tessera::vgpu::driver {
CUcontext makeContext(Device &device, bool primary) {
  auto *context = new ContextObject;
  context->device = &device;
  context->isPrimary = primary;
  context->flags = primary ? device.primaryFlags : 0;
  context->id = state().nextId++;
  context->defaultStream = new StreamObject;
  context->defaultStream->context = context;
  context->defaultStream->legacy = true;
  context->defaultStream->id = state().nextId++;
  context->limits = {{0, 1024}, {1, 1 << 20}, {2, 8 << 20}, {3, 2}, {4, 2048}, {5, 128}, {6, 0}};
  born(context, contextKind);
  return context;
}
} // namespace tessera::vgpu::driver

namespace {
void pop() {
  current() = contextStack().empty() ? nullptr : contextStack().back();
  if (!contextStack().empty())
    contextStack().pop_back();
}
// The context of a handle, the current one for null.
CUresult contextOf(CUcontext handle, ContextObject *&context) {
  if (CUresult r = started())
    return r;
  context = handle ? handle : current();
  return alive(context, contextKind) ? SUCCESS : INVALID_CONTEXT;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
  Guard hold;
  if (CUresult r = started())
    return r;
  Device *d = deviceAt(device);
  if (!d)
    return INVALID_DEVICE;
  if (!context || flags & ~0x1ffu || (flags & 7) > 4)
    return INVALID_VALUE;
  *context = makeContext(*d, false);
  (*context)->flags = flags;
  contextStack().push_back(current());
  current() = *context;
  return SUCCESS;
}
CUresult cuCtxCreate(CUcontext *context, unsigned flags, CUdevice device) {
  return cuCtxCreate_v2(context, flags, device);
}
CUresult cuCtxCreate_v3(CUcontext *context, void *affinities, int count, unsigned flags, CUdevice device) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!deviceAt(device))
    return INVALID_DEVICE;
  return affinities || count ? NOT_SUPPORTED : cuCtxCreate_v2(context, flags, device);
}
CUresult cuCtxCreate_v4(CUcontext *context, void *, unsigned flags, CUdevice device) {
  return cuCtxCreate_v2(context, flags, device);
}
CUresult cuCtxDestroy_v2(CUcontext context) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(context, contextKind) || context->isPrimary)
    return INVALID_CONTEXT;
  if (current() == context)
    pop();
  destroyContext(context);
  return SUCCESS;
}
CUresult cuCtxDestroy(CUcontext context) { return cuCtxDestroy_v2(context); }
CUresult cuCtxSetCurrent(CUcontext context) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (context && !alive(context, contextKind))
    return INVALID_CONTEXT;
  current() = context;
  return SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *context) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!context)
    return INVALID_VALUE;
  *context = alive(current(), contextKind) ? current() : nullptr;
  return SUCCESS;
}
CUresult cuCtxPushCurrent_v2(CUcontext context) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(context, contextKind))
    return INVALID_CONTEXT;
  contextStack().push_back(current());
  current() = context;
  return SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext context) { return cuCtxPushCurrent_v2(context); }
CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!current())
    return INVALID_CONTEXT;
  if (context)
    *context = current();
  pop();
  return SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext *context) { return cuCtxPopCurrent_v2(context); }
CUresult cuCtxGetDevice_v2(CUdevice *device, CUcontext handle) {
  Guard hold;
  ContextObject *context = nullptr;
  if (CUresult r = contextOf(handle, context))
    return r;
  if (!device)
    return INVALID_VALUE;
  *device = context->device->ordinal;
  return SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice *device) { return cuCtxGetDevice_v2(device, nullptr); }
CUresult cuCtxSynchronize_v2(CUcontext handle) {
  Guard hold;
  ContextObject *context = nullptr;
  if (CUresult r = contextOf(handle, context))
    return r;
  if (context->sticky)
    return context->sticky;
  for (StreamObject *s : allOf<StreamObject>(streamKind))
    if (s->context == context && s->capture) {
      spoil(*s);
      return STREAM_CAPTURE_UNSUPPORTED;
    }
  return SUCCESS;
}
CUresult cuCtxSynchronize() { return cuCtxSynchronize_v2(nullptr); }
CUresult cuCtxGetApiVersion(CUcontext handle, unsigned *version) {
  Guard hold;
  ContextObject *context = nullptr;
  if (CUresult r = contextOf(handle, context))
    return r;
  if (!version)
    return INVALID_VALUE;
  *version = 13000;
  return SUCCESS;
}
CUresult cuCtxGetId(CUcontext handle, unsigned long long *id) {
  Guard hold;
  ContextObject *context = nullptr;
  if (CUresult r = contextOf(handle, context))
    return r;
  if (!id)
    return INVALID_VALUE;
  *id = context->id;
  return SUCCESS;
}
CUresult cuCtxGetFlags(unsigned *flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!flags)
    return INVALID_VALUE;
  *flags = current()->flags;
  return SUCCESS;
}
CUresult cuCtxSetFlags(unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (flags & ~0x1ffu || (flags & 7) > 4)
    return INVALID_VALUE;
  current()->flags = flags;
  return SUCCESS;
}
CUresult cuCtxSetLimit(int limit, size_t value) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!current()->limits.count(limit))
    return UNSUPPORTED_LIMIT;
  current()->limits[limit] = value;
  return SUCCESS;
}
CUresult cuCtxGetLimit(size_t *value, int limit) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!value)
    return INVALID_VALUE;
  auto found = current()->limits.find(limit);
  if (found == current()->limits.end())
    return UNSUPPORTED_LIMIT;
  *value = found->second;
  return SUCCESS;
}
CUresult cuCtxGetCacheConfig(int *config) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!config)
    return INVALID_VALUE;
  *config = 0;
  return SUCCESS;
}
CUresult cuCtxSetCacheConfig(int config) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return config >= 0 && config <= 3 ? SUCCESS : INVALID_VALUE;
}
CUresult cuCtxGetSharedMemConfig(int *config) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!config)
    return INVALID_VALUE;
  *config = 1; // banks of four bytes
  return SUCCESS;
}
CUresult cuCtxSetSharedMemConfig(int config) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return config >= 0 && config <= 2 ? SUCCESS : INVALID_VALUE;
}
CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (least)
    *least = 0;
  if (greatest)
    *greatest = -5;
  return SUCCESS;
}
CUresult cuCtxResetPersistingL2Cache() {
  Guard hold;
  return ready();
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(peer, contextKind))
    return INVALID_CONTEXT;
  if (flags)
    return INVALID_VALUE;
  if (peer->device == current()->device)
    return INVALID_DEVICE;
  if (!current()->peers.insert(peer).second)
    return PEER_ACCESS_ALREADY_ENABLED;
  resetPeers();
  return SUCCESS;
}
CUresult cuCtxDisablePeerAccess(CUcontext peer) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(peer, contextKind))
    return INVALID_CONTEXT;
  if (!current()->peers.erase(peer))
    return PEER_ACCESS_NOT_ENABLED;
  resetPeers();
  return SUCCESS;
}

// Ours: the findings and the counters of the last launch as text; valid until the next one.
const char *tesseraVgpuFindings() { return state().findings.c_str(); }
const char *tesseraVgpuReport() { return state().report.c_str(); }
}
#pragma GCC visibility pop
