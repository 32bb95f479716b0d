// Entry points: tensor maps. ISA 5.5 and the driver's reference say which ones the hardware takes.
#include "runtime/vgpu/driver/state.h"
#include <cstring>

using namespace tessera::vgpu::driver;

namespace {
constexpr uint32_t mark = 0x50414d54; // of a map that this driver wrote
constexpr uint32_t elementBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
constexpr int elementTypes = std::size(elementBytes), lastType = 15; // 13 to 15: packed types of sm_100
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuTensorMapEncodeTiled(TensorMap *map, int type, unsigned rank, void *address, const uint64_t *sizes,
                                const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                                int swizzle, int promotion, int fill) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!map || !address || !sizes || !box || !steps || (rank > 1 && !strides) || rank < 1 || rank > 5 || type < 0 ||
      type > lastType)
    return INVALID_VALUE;
  if (reinterpret_cast<uintptr_t>(map) % 64 || reinterpret_cast<uintptr_t>(address) % 16 || interleave < 0 ||
      interleave > 2 || swizzle < 0 || swizzle > 6 || promotion < 0 || promotion > 3 || fill < 0 || fill > 1)
    return INVALID_VALUE;
  if (interleave || swizzle > 3 || type >= elementTypes)
    return NOT_SUPPORTED; // interleaved layouts, and what only sm_100 has
  const uint64_t inner = uint64_t(box[0]) * elementBytes[type];
  if (inner % 16 || (swizzle && inner > 16u << swizzle))
    return INVALID_VALUE;
  for (unsigned k = 0; k < rank; ++k) {
    if (sizes[k] == 0 || sizes[k] > (1ull << 32) || box[k] == 0 || box[k] > 256 || steps[k] == 0 || steps[k] > 8)
      return INVALID_VALUE;
    if (k + 1 < rank && (strides[k] % 16 || strides[k] >= (1ull << 40) || (strides[k] == 0 && sizes[k + 1] > 1)))
      return INVALID_VALUE;
  }
  // 128 bytes: mark and small fields 16, address 8, sizes 5 x 4 (minus one), strides 4 x 8, boxes 5 x 2, steps 5.
  unsigned char raw[128] = {};
  uint32_t head[4] = {mark, rank | uint32_t(type) << 8 | uint32_t(swizzle) << 16 | uint32_t(fill) << 24, 0, 0};
  std::memcpy(raw, head, 16);
  uint64_t base = reinterpret_cast<uint64_t>(address);
  std::memcpy(raw + 16, &base, 8);
  for (unsigned k = 0; k < rank; ++k) {
    auto extent = uint32_t(sizes[k] - 1);
    auto edge = uint16_t(box[k]);
    std::memcpy(raw + 24 + 4 * k, &extent, 4);
    std::memcpy(raw + 80 + 2 * k, &edge, 2);
    raw[96 + k] = static_cast<unsigned char>(steps[k]);
    if (k + 1 < rank)
      std::memcpy(raw + 48 + 8 * k, &strides[k], 8);
  }
  std::memcpy(map, raw, 128);
  return SUCCESS;
}
CUresult cuTensorMapReplaceAddress(TensorMap *map, void *address) {
  Guard hold;
  if (CUresult r = started())
    return r;
  uint32_t have = 0;
  if (!map || !address || reinterpret_cast<uintptr_t>(map) % 64 || reinterpret_cast<uintptr_t>(address) % 16)
    return INVALID_VALUE;
  std::memcpy(&have, map, sizeof have);
  if (have != mark)
    return INVALID_VALUE;
  const uint64_t base = reinterpret_cast<uint64_t>(address);
  std::memcpy(reinterpret_cast<unsigned char *>(map) + 16, &base, 8);
  return SUCCESS;
}
// Convolution maps are refused: no kernel could use one.
CUresult cuTensorMapEncodeIm2col() {
  Guard hold;
  return started() ? NOT_INITIALIZED : NOT_SUPPORTED;
}
CUresult cuTensorMapEncodeIm2colWide() { return cuTensorMapEncodeIm2col(); }
}
#pragma GCC visibility pop
