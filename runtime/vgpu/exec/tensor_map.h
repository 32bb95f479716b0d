// Reads what cuTensorMapEncodeTiled wrote: shape, strides and box of a tensor in global memory.
#pragma once
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

struct TensorMap {
  u32 rank = 0, type = 0, elementBytes = 0, swizzle = 0;
  bool fillNan = false;
  u64 address = 0;
  u64 sizes[5] = {1, 1, 1, 1, 1}, strides[5] = {}; // strides in bytes; of dimension 0: the element
  u32 box[5] = {1, 1, 1, 1, 1}, step[5] = {1, 1, 1, 1, 1};

  u64 boxBytes() const { return u64(box[0]) * box[1] * box[2] * box[3] * box[4] * elementBytes; }
};

// From 128 bytes; false when they are no tensor map.
bool readTensorMap(const u8 *bytes, TensorMap &map);

// The 16-byte chunks of a row of shared memory change places by address bits 7 to 9 (ISA 5.5.7); mode 0 to 3: none, 32,
// 64, 128 bytes.
inline u32 swizzled(u32 address, u32 mode) {
  return mode == 0 ? address : address ^ (address >> 7 & ((1u << mode) - 1)) << 4;
}

} // namespace tessera::vgpu
