// The one way from a lane's address to bytes of the host: finds the space, checks, counts.
#pragma once
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

struct Access {
  u64 address[lanes]; // in the space; generic ones are sorted out
  u8 *at[lanes];      // answer
  u32 mask = 0;
  u32 bytes = 4; // of each lane
  bool write = false, read = true;
  bool atomic = false; // races with other atomics are none
};

// Fills access.at for the lanes of access.mask. False after it reported a fault.
bool resolve(Warp &w, const Op &op, ptx::Space space, Access &access);

// Lane addresses of a memory operation: plane op.a (64-bit when op.flag bit 0), plus op.imm.
void gatherAddresses(Warp &w, const Op &op, Access &access);

// Checks bytes [offset, offset + bytes) of the block's shared memory for a warp; counts nothing.
bool checkShared(Warp &w, Block &block, u32 lane, u64 offset, u32 bytes, bool write, bool atomic);

// Host pointer of global bytes, checked; null after it reported a fault.
u8 *globalBytes(Warp &w, u32 lane, u64 address, u64 bytes, bool write);

} // namespace tessera::vgpu
