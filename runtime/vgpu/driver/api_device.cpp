// Entry points: initialisation, devices, contexts, errors.
#include "runtime/vgpu/driver/state.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
using Guard = std::lock_guard<std::recursive_mutex>;

Device *deviceAt(CUdevice ordinal) {
  State &s = state();
  return s.initialised && ordinal >= 0 && size_t(ordinal) < s.devices.size() ? &s.devices[size_t(ordinal)] : nullptr;
}

struct ErrorRow {
  CUresult code;
  const char *name, *text;
};
constexpr ErrorRow errors[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {UNSUPPORTED_LIMIT, "CUDA_ERROR_UNSUPPORTED_LIMIT", "limit is not supported on this architecture"},
    {PEER_ACCESS_UNSUPPORTED, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
     "peer access is not supported between these two devices"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {FILE_NOT_FOUND, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {LAUNCH_TIMEOUT, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {PEER_ACCESS_ALREADY_ENABLED, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "peer access is already enabled"},
    {PEER_ACCESS_NOT_ENABLED, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", "peer access has not been enabled"},
    {ASSERT, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {HOST_MEMORY_ALREADY_REGISTERED, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
     "part or all of the requested memory range is already mapped"},
    {HOST_MEMORY_NOT_REGISTERED, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
     "pointer does not correspond to a registered memory region"},
    {ILLEGAL_INSTRUCTION, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {COOPERATIVE_LAUNCH_TOO_LARGE, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "too many blocks in cooperative launch"},
    {NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not initiated in this stream"},
    {INVALID_CLUSTER_SIZE, "CUDA_ERROR_INVALID_CLUSTER_SIZE", "the cluster size is not supported"},
    {UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
const ErrorRow *errorRow(int code) {
  for (const ErrorRow &row : errors)
    if (row.code == code)
      return &row;
  return nullptr;
}

CUcontext makeContext(Device &device, bool primary) {
  auto *context = new ContextObject;
  context->device = &device;
  context->isPrimary = primary;
  context->id = state().nextId++;
  context->defaultStream = new StreamObject;
  context->defaultStream->context = context;
  born(context, contextKind);
  return context;
}
} // namespace

CUresult tessera::vgpu::driver::initialise() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return NO_DEVICE;
#endif
  State &s = state();
  s.options = optionsFromEnvironment();
  s.quiet = std::getenv("TESSERA_VGPU_QUIET") != nullptr;
  s.initialised = true;
  return SUCCESS;
}

Device &tessera::vgpu::driver::addDevice(const Chip &chip) {
  State &s = state();
  Device &d = s.devices.emplace_back();
  d.ordinal = int(s.devices.size()) - 1;
  d.chip = &chip;
  d.memory = std::make_unique<Memory>(chip.memoryMiB << 20, uint32_t(d.ordinal));
  d.memory->trackWrites = s.options.checkGlobalInit;
  return d;
}

#pragma GCC visibility push(default)
extern "C" {

CUresult cuInit(unsigned flags) {
  State &s = state();
  Guard hold(s.lock);
  if (flags)
    return INVALID_VALUE;
  if (s.initialised)
    return SUCCESS;
  const char *chipName = std::getenv("TESSERA_VGPU"), *count = std::getenv("TESSERA_VGPU_COUNT");
  const Chip *chip = chipNamed(chipName && *chipName ? chipName : "h100");
  if (!chip)
    return NO_DEVICE;
  if (CUresult r = initialise())
    return r;
  long devices = count ? std::clamp(std::strtol(count, nullptr, 10), 0l, 16l) : 1;
  for (long i = 0; i < devices; ++i)
    addDevice(*chip);
  return devices ? SUCCESS : NO_DEVICE;
}

CUresult cuDriverGetVersion(int *version) {
  if (!version)
    return INVALID_VALUE;
  *version = 13000;
  return SUCCESS;
}

CUresult cuGetErrorName(int code, const char **text) {
  const ErrorRow *row = errorRow(code);
  if (!text)
    return INVALID_VALUE;
  *text = row ? row->name : nullptr;
  return row ? SUCCESS : INVALID_VALUE;
}
CUresult cuGetErrorString(int code, const char **text) {
  const ErrorRow *row = errorRow(code);
  if (!text)
    return INVALID_VALUE;
  *text = row ? row->text : nullptr;
  return row ? SUCCESS : INVALID_VALUE;
}

CUresult cuDeviceGetCount(int *count) {
  Guard hold(state().lock);
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (!count)
    return INVALID_VALUE;
  *count = int(state().devices.size());
  return SUCCESS;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  Guard hold(state().lock);
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (!device)
    return INVALID_VALUE;
  if (!deviceAt(ordinal))
    return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}
CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return state().initialised ? INVALID_DEVICE : NOT_INITIALIZED;
  if (!name || length <= 0)
    return INVALID_VALUE;
  std::string full = std::string(d->chip->name) + " (Tessera virtual)";
  size_t n = std::min(size_t(length) - 1, full.size());
  std::memcpy(name, full.data(), n);
  name[n] = 0;
  return SUCCESS;
}
CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
  Guard hold(state().lock);
  if (!deviceAt(device))
    return INVALID_DEVICE;
  if (!uuid)
    return INVALID_VALUE;
  std::memset(uuid, 0, sizeof *uuid);
  std::memcpy(uuid->bytes, "tessera-vgpu", 12);
  uuid->bytes[15] = char(device);
  return SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }
CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return INVALID_DEVICE;
  if (!bytes)
    return INVALID_VALUE;
  *bytes = d->memory->capacity();
  return SUCCESS;
}
CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
  Guard hold(state().lock);
  if (!deviceAt(device))
    return INVALID_DEVICE;
  if (!text || length < 13)
    return INVALID_VALUE;
  std::snprintf(text, size_t(length), "0000:%02X:00.0", device + 1);
  return SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return state().initialised ? INVALID_DEVICE : NOT_INITIALIZED;
  if (!value || attribute < 1 || attribute > 200)
    return INVALID_VALUE;
  const Chip &c = *d->chip;
  switch (attribute) {
  case 1:
    *value = 1024;
    break; // threads per block
  case 2:
  case 3:
    *value = 1024;
    break; // block x, y
  case 4:
    *value = 64;
    break;
  case 5:
    *value = 0x7fffffff;
    break; // grid x
  case 6:
  case 7:
    *value = 65535;
    break;
  case 8:
    *value = 49152;
    break; // shared memory per block
  case 9:
    *value = 65536;
    break; // constant memory
  case 10:
    *value = 32;
    break; // warp
  case 11:
    *value = 0x7fffffff;
    break; // pitch
  case 12:
  case 82:
    *value = 65536;
    break; // registers
  case 13:
    *value = int(c.rates.boostMhz * 1000);
    break;
  case 14:
    *value = 512;
    break;
  case 15:
  case 31:
  case 41:
  case 19:
  case 83:
  case 95:
  case 78:
  case 79:
  case 80:
  case 88:
  case 89:
  case 90:
  case 91:
  case 92:
  case 93:
  case 94:
  case 99:
  case 115:
  case 122:
  case 123:
    *value = 1;
    break;
  case 16:
    *value = int(c.sms);
    break;
  case 33:
    *value = device + 1;
    break;
  case 36:
    *value = int(c.rates.dramGBs * 1000);
    break; // kHz such that bus width 4096 bits fits roughly
  case 37:
    *value = 4096;
    break;
  case 38:
    *value = int(c.rates.l2MiB) << 20;
    break;
  case 39:
    *value = int(c.limits.warpsPerSm * 32);
    break;
  case 40:
    *value = 2;
    break;
  case 75:
    *value = int(c.arch / 10);
    break;
  case 76:
    *value = int(c.arch % 10);
    break;
  case 81:
    *value = int(c.limits.sharedPerSmKiB) << 10;
    break;
  case 87:
    *value = c.arch == 80 || c.arch == 90 || c.arch == 70 ? 2 : 32;
    break;
  case 97:
    *value = int(c.limits.sharedPerBlockKiB) << 10;
    break;
  case 106:
    *value = int(c.limits.blocksPerSm);
    break;
  case 111:
    *value = c.arch >= 80 ? 1024 : 0;
    break;
  case 120:
  case 127:
    *value = c.arch >= 90;
    break;
  default:
    *value = 0;
    break;
  }
  return SUCCESS;
}
CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return INVALID_DEVICE;
  if (!major || !minor)
    return INVALID_VALUE;
  *major = int(d->chip->arch / 10);
  *minor = int(d->chip->arch % 10);
  return SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return state().initialised ? INVALID_DEVICE : NOT_INITIALIZED;
  if (!context)
    return INVALID_VALUE;
  if (!d->primary)
    d->primary = makeContext(*d, true);
  ++d->primaryUses;
  *context = d->primary;
  return SUCCESS;
}
CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return INVALID_DEVICE;
  if (d->primary)
    destroyContext(d->primary);
  d->primary = nullptr;
  d->primaryUses = 0;
  d->claimed = false;
  return SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return INVALID_DEVICE;
  if (d->primaryUses == 0)
    return INVALID_CONTEXT;
  return --d->primaryUses ? SUCCESS : cuDevicePrimaryCtxReset_v2(device);
}
CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned) {
  return deviceAt(device) ? SUCCESS : INVALID_DEVICE;
}
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return INVALID_DEVICE;
  if (!flags || !active)
    return INVALID_VALUE;
  *flags = 0;
  *active = d->primary != nullptr;
  return SUCCESS;
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned, CUdevice device) {
  Guard hold(state().lock);
  Device *d = deviceAt(device);
  if (!d)
    return state().initialised ? INVALID_DEVICE : NOT_INITIALIZED;
  if (!context)
    return INVALID_VALUE;
  *context = makeContext(*d, false);
  contextStack().push_back(current());
  current() = *context;
  return SUCCESS;
}
CUresult cuCtxCreate_v4(CUcontext *context, void *, unsigned flags, CUdevice device) {
  return cuCtxCreate_v2(context, flags, device);
}
CUresult cuCtxDestroy_v2(CUcontext context) {
  Guard hold(state().lock);
  if (!alive(context, contextKind) || context->isPrimary)
    return INVALID_CONTEXT;
  if (current() == context) {
    current() = contextStack().empty() ? nullptr : contextStack().back();
    if (!contextStack().empty())
      contextStack().pop_back();
  }
  destroyContext(context);
  return SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  Guard hold(state().lock);
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (context && !alive(context, contextKind))
    return INVALID_CONTEXT;
  current() = context;
  return SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *context) {
  Guard hold(state().lock);
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (!context)
    return INVALID_VALUE;
  *context = alive(current(), contextKind) ? current() : nullptr;
  return SUCCESS;
}
CUresult cuCtxPushCurrent_v2(CUcontext context) {
  Guard hold(state().lock);
  if (!alive(context, contextKind))
    return INVALID_CONTEXT;
  contextStack().push_back(current());
  current() = context;
  return SUCCESS;
}
CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  Guard hold(state().lock);
  if (!alive(current(), contextKind))
    return INVALID_CONTEXT;
  if (context)
    *context = current();
  current() = contextStack().empty() ? nullptr : contextStack().back();
  if (!contextStack().empty())
    contextStack().pop_back();
  return SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice *device) {
  Guard hold(state().lock);
  if (!alive(current(), contextKind))
    return state().initialised ? INVALID_CONTEXT : NOT_INITIALIZED;
  if (!device)
    return INVALID_VALUE;
  *device = current()->device->ordinal;
  return SUCCESS;
}
CUresult cuCtxSynchronize() {
  Guard hold(state().lock);
  return ready();
}
CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version) {
  Guard hold(state().lock);
  if (context && !alive(context, contextKind))
    return INVALID_CONTEXT;
  if (!version)
    return INVALID_VALUE;
  *version = 13000;
  return SUCCESS;
}
CUresult cuCtxGetFlags(unsigned *flags) {
  if (!flags)
    return INVALID_VALUE;
  *flags = 0;
  return ready();
}
CUresult cuCtxSetLimit(int, size_t) { return ready(); }
CUresult cuCtxGetLimit(size_t *value, int limit) {
  if (!value)
    return INVALID_VALUE;
  *value = limit == 0 ? 1024 : limit == 1 ? 1 << 20 : 8 << 20;
  return ready();
}
CUresult cuCtxGetCacheConfig(int *config) {
  if (!config)
    return INVALID_VALUE;
  *config = 0;
  return ready();
}
CUresult cuCtxSetCacheConfig(int) { return ready(); }
CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  if (least)
    *least = 0;
  if (greatest)
    *greatest = -5;
  return ready();
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice a, CUdevice b) {
  Guard hold(state().lock);
  if (!deviceAt(a) || !deviceAt(b))
    return INVALID_DEVICE;
  if (!can)
    return INVALID_VALUE;
  *can = a != b;
  return SUCCESS;
}
CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(peer, contextKind))
    return INVALID_CONTEXT;
  if (flags)
    return INVALID_VALUE;
  if (peer->device == current()->device)
    return INVALID_DEVICE;
  return current()->peers.insert(peer).second ? SUCCESS : PEER_ACCESS_ALREADY_ENABLED;
}
CUresult cuCtxDisablePeerAccess(CUcontext peer) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  return current()->peers.erase(peer) ? SUCCESS : PEER_ACCESS_NOT_ENABLED;
}

// Ours: the findings and the counters of the last launch as text; valid until the next one.
const char *tesseraVgpuFindings() { return state().findings.c_str(); }
const char *tesseraVgpuReport() { return state().report.c_str(); }
}
#pragma GCC visibility pop
