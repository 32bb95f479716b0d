// Entry points: tensor maps, and the way by which programs look entry points up by name.
#include "runtime/vgpu/driver/state.h"
#include <cstring>
#include <dlfcn.h>
#include <string>

using namespace tessera::vgpu::driver;

#pragma GCC visibility push(default)
extern "C" {

// ISA 5.5 and the driver's own rules: which maps the hardware takes.
CUresult cuTensorMapEncodeTiled(TensorMap *map, int type, unsigned rank, void *address, const uint64_t *sizes,
                                const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides,
                                int interleave, int swizzle, int promotion, int fill);

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags, int *status) {
  (void)flags;
  if (!symbol || !function)
    return INVALID_VALUE;
  *function = nullptr;
  // The newest of the versions that we have, as the toolkit's own headers would map the name.
  Dl_info self{};
  dladdr(reinterpret_cast<void *>(&cuGetProcAddress_v2), &self);
  void *library = self.dli_fname ? dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
  for (const char *suffix : {"_v4", "_v3", "_v2", ""}) {
    if (std::strcmp(symbol, "cuCtxCreate") == 0 && std::strcmp(suffix, "_v4") == 0 && version < 13000)
      continue;
    if ((*function = dlsym(library ? library : RTLD_DEFAULT, (std::string(symbol) + suffix).c_str())))
      break;
  }
  if (library)
    dlclose(library);
  if (status)
    *status = *function ? 0 : 1;
  return *function ? SUCCESS : NOT_FOUND;
}
CUresult cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}
CUresult cuProfilerStart() { return SUCCESS; }
CUresult cuProfilerStop() { return SUCCESS; }

CUresult cuTensorMapEncodeTiled(TensorMap *map, int type, unsigned rank, void *address, const uint64_t *sizes,
                                const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides,
                                int interleave, int swizzle, int promotion, int fill) {
  // Two words of sizes and strides do not fit 128 bytes beside the rest in plain form: they are kept in a table here.
  constexpr uint32_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  if (!map || !address || !sizes || !box || !elementStrides || (rank > 1 && !strides) || rank < 1 || rank > 5 ||
      type < 0 || type > 12)
    return INVALID_VALUE;
  if (reinterpret_cast<uintptr_t>(map) % 64 || reinterpret_cast<uintptr_t>(address) % 16 || interleave != 0 ||
      swizzle < 0 || swizzle > 3 || promotion < 0 || promotion > 3 || fill < 0 || fill > 1)
    return INVALID_VALUE;
  uint64_t inner = uint64_t(box[0]) * bytes[type];
  if (inner % 16 || (swizzle && inner > 16u << swizzle))
    return INVALID_VALUE;
  for (unsigned k = 0; k < rank; ++k) {
    if (sizes[k] == 0 || sizes[k] > (1ull << 32) || box[k] == 0 || box[k] > 256 || elementStrides[k] == 0 ||
        elementStrides[k] > 8)
      return INVALID_VALUE;
    if (k + 1 < rank && (strides[k] % 16 || strides[k] >= (1ull << 40) || (strides[k] == 0 && sizes[k + 1] > 1)))
      return INVALID_VALUE;
  }
  // 128 bytes: magic and small fields 16, address 8, sizes 5 x 4 (minus one), strides 4 x 8 (of 40 bits), boxes 5 x 2.
  unsigned char raw[128] = {};
  uint32_t head[4] = {0x50414d54, rank | uint32_t(type) << 8 | uint32_t(swizzle) << 16 | uint32_t(fill) << 24, 0, 0};
  std::memcpy(raw, head, 16);
  uint64_t base = reinterpret_cast<uint64_t>(address);
  std::memcpy(raw + 16, &base, 8);
  for (unsigned k = 0; k < rank; ++k) {
    auto extent = uint32_t(sizes[k] - 1);
    auto edge = uint16_t(box[k]);
    std::memcpy(raw + 24 + 4 * k, &extent, 4);
    std::memcpy(raw + 80 + 2 * k, &edge, 2);
    raw[96 + k] = (unsigned char)elementStrides[k];
    if (k + 1 < rank)
      std::memcpy(raw + 48 + 8 * k, &strides[k], 8);
  }
  std::memcpy(map, raw, 128);
  return SUCCESS;
}
}
#pragma GCC visibility pop
