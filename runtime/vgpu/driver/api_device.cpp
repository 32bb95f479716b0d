// Entry points: initialisation, devices, primary contexts.
#include "runtime/vgpu/driver/state.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {

// CUdevice_attribute numbers whose answer is the same for every chip; all others that are known answer 0.
struct Fixed {
  int attribute, value;
};
constexpr Fixed fixed[] = {
    {1, 1024},        // threads of a block
    {2, 1024},        // along x
    {3, 1024},        // along y
    {4, 64},          // along z
    {5, 0x7fffffff},  // blocks of a grid along x
    {6, 65535},       // along y
    {7, 65535},       // along z
    {8, 49152},       // bytes of shared memory without asking for more
    {9, 65536},       // bytes of constant memory
    {10, 32},         // lanes of a warp
    {11, 0x7fffffff}, // bytes of a pitch
    {12, 65536},      // registers of a block
    {14, 512},        // texture alignment
    {15, 1},          // copies beside kernels
    {19, 1},          // maps host memory
    {31, 1},          // concurrent kernels
    {40, 2},          // copy engines
    {41, 1},          // unified addressing
    {51, 32},         // texture pitch alignment
    {78, 1},          // stream priorities
    {79, 1},          // global accesses in L1
    {80, 1},          // local accesses in L1
    {82, 65536},      // registers of a multiprocessor
    {83, 1},          // managed memory
    {89, 1},          // managed memory beside running kernels
    {90, 1},          // preemption
    {91, 1},          // host pointers of registered memory
    {92, 1},          // memory operations of streams
    {93, 1},          // with 64 bits
    {94, 1},          // waits for nor
    {95, 1},          // cooperative launch
    {99, 1},          // registers host memory
    {102, 1},         // virtual memory management
    {115, 1},         // memory pools
    {122, 1},         // memory operations of streams with 64 bits
    {123, 1},         // waits for nor
    {126, 1},         // memory synchronisation domains
};
constexpr int lastAttribute = 147; // of CUDA 13.0

// Those that depend on the chip; -1 for any other.
int chipAttribute(const Chip &c, int attribute) {
  switch (attribute) {
  case 13:
    return int(c.rates.boostMhz * 1000);
  case 16:
    return int(c.sms);
  case 36:
    return int(c.rates.dramGBs * 1e6 / (4096 / 8 * 2)); // kHz at which the bus width below gives the peak
  case 37:
    return 4096;
  case 38:
    return int(c.rates.l2MiB * (1 << 20));
  case 39:
    return int(c.limits.warpsPerSm * 32);
  case 75:
    return int(c.arch / 10);
  case 76:
    return int(c.arch % 10);
  case 81:
    return int(c.limits.sharedPerSmKiB) << 10;
  case 87:
    return c.arch == 80 || c.arch == 90 || c.arch == 70 ? 2 : 32; // f32 operations for one of f64
  case 97:
    return int(c.limits.sharedPerBlockKiB) << 10;
  case 106:
    return int(c.limits.blocksPerSm);
  case 111:
    return c.arch >= 80 ? 1024 : 0; // shared memory that the system keeps of every block
  case 120:                         // cluster launch
  case 127:                         // tensor maps
    return c.arch >= 90;
  default:
    return -1;
  }
}

CUresult known(CUdevice device, Device *&found) {
  if (CUresult r = started())
    return r;
  found = deviceAt(device);
  return found ? SUCCESS : INVALID_DEVICE;
}

void releasePrimary(Device &d) {
  if (d.primary)
    destroyContext(d.primary);
  d.primary = nullptr;
  d.primaryUses = 0;
  d.claimed = false;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuInit(unsigned flags) {
  Guard hold;
  State &s = state();
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

CUresult cuDeviceGetCount(int *count) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!count)
    return INVALID_VALUE;
  *count = int(state().devices.size());
  return SUCCESS;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = started())
    return r;
  if (!device)
    return INVALID_VALUE;
  if (CUresult r = known(ordinal, d))
    return r;
  *device = ordinal;
  return SUCCESS;
}
CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!name || length <= 0)
    return INVALID_VALUE;
  std::string full = std::string(d->chip->name) + " (Tessera virtual)";
  size_t n = std::min(size_t(length) - 1, full.size());
  std::memcpy(name, full.data(), n);
  name[n] = 0;
  return SUCCESS;
}
CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!uuid)
    return INVALID_VALUE;
  std::memset(uuid, 0, sizeof *uuid);
  std::memcpy(uuid->bytes, "tessera-vgpu", 12);
  uuid->bytes[15] = char(device);
  return SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }
CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!bytes)
    return INVALID_VALUE;
  *bytes = d->memory->capacity();
  return SUCCESS;
}
CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!text || length < 13)
    return INVALID_VALUE;
  std::snprintf(text, size_t(length), "0000:%02X:00.0", unsigned(device + 1));
  return SUCCESS;
}
CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *text) {
  Guard hold;
  if (CUresult r = started())
    return r;
  unsigned domain = 0, bus = 0;
  if (!device || !text)
    return INVALID_VALUE;
  const bool whole = std::sscanf(text, "%x:%x:", &domain, &bus) == 2;
  if ((!whole && std::sscanf(text, "%x:", &bus) != 1) || domain || !bus || !deviceAt(int(bus - 1)))
    return INVALID_DEVICE;
  *device = int(bus - 1);
  return SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!value || attribute < 1 || attribute > lastAttribute)
    return INVALID_VALUE;
  int own = attribute == 33 ? device + 1 : chipAttribute(*d->chip, attribute);
  *value = std::max(own, 0);
  for (const Fixed &row : fixed)
    if (row.attribute == attribute)
      *value = row.value;
  return SUCCESS;
}
CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!major || !minor)
    return INVALID_VALUE;
  *major = int(d->chip->arch / 10);
  *minor = int(d->chip->arch % 10);
  return SUCCESS;
}
// The fourteen numbers of CUdevprop.
CUresult cuDeviceGetProperties(int *values, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!values)
    return INVALID_VALUE;
  const int attributes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}; // as that orders them
  for (int i = 0; i < 14; ++i)
    if (CUresult r = cuDeviceGetAttribute(values + i, attributes[i], device))
      return r;
  return SUCCESS;
}
CUresult cuDeviceGetExecAffinitySupport(int *value, int type, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!value || type != 0)
    return INVALID_VALUE;
  *value = 0;
  return SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!context)
    return INVALID_VALUE;
  if (!d->memory->capacity())
    return OUT_OF_MEMORY; // the process has no addresses left for it
  if (!d->primary)
    d->primary = makeContext(*d, true);
  ++d->primaryUses;
  *context = d->primary;
  return SUCCESS;
}
CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  releasePrimary(*d);
  return SUCCESS;
}
CUresult cuDevicePrimaryCtxReset(CUdevice device) { return cuDevicePrimaryCtxReset_v2(device); }
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (d->primaryUses == 0)
    return INVALID_CONTEXT;
  if (--d->primaryUses == 0)
    releasePrimary(*d);
  return SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) { return cuDevicePrimaryCtxRelease_v2(device); }
CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (flags & ~0x1ffu)
    return INVALID_VALUE;
  d->primaryFlags = flags;
  if (d->primary)
    d->primary->flags = flags;
  return SUCCESS;
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) {
  return cuDevicePrimaryCtxSetFlags_v2(device, flags);
}
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(device, d))
    return r;
  if (!flags || !active)
    return INVALID_VALUE;
  *flags = d->primaryFlags;
  *active = d->primary != nullptr;
  return SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice a, CUdevice b) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(a, d))
    return r;
  if (CUresult r = known(b, d))
    return r;
  if (!can)
    return INVALID_VALUE;
  *can = a != b;
  return SUCCESS;
}
CUresult cuDeviceGetP2PAttribute(int *value, int attribute, CUdevice a, CUdevice b) {
  Guard hold;
  Device *d = nullptr;
  if (CUresult r = known(a, d))
    return r;
  if (CUresult r = known(b, d))
    return r;
  if (a == b)
    return INVALID_DEVICE;
  if (!value || attribute < 1 || attribute > 5)
    return INVALID_VALUE;
  *value = attribute == 2 ? 1 : 0; // access; no native atomics, no arrays, no rank
  return SUCCESS;
}
}
#pragma GCC visibility pop
