// The one way from a lane's address to bytes of the host: finds the space, checks, counts.
#pragma once
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

// How shared memory is touched, for the checker.
enum class SharedUse : u8 { read, atomicRead, write, atomicWrite, beginAsync, readAsync };

struct Access {
  u64 address[lanes]; // in the space; generic ones are sorted out
  u8 *at[lanes];      // answer
  u32 mask = 0;
  u32 bytes = 4; // of each lane
  bool write = false, read = true;
  bool atomic = false; // races with other atomics are none
  bool async = false;  // an asynchronous copy: into shared memory, or read by the async proxy

  SharedUse use() const {
    if (async)
      return write ? SharedUse::beginAsync : SharedUse::readAsync;
    return write    ? (atomic ? SharedUse::atomicWrite : SharedUse::write)
           : atomic ? SharedUse::atomicRead
                    : SharedUse::read;
  }
};

// Fills access.at for the lanes of access.mask. False after it reported a fault.
bool resolve(Warp &w, const Op &op, ptx::Space space, Access &access);

// Lane addresses of a memory operation: plane op.a (64-bit when op.flag bit 0), plus op.imm.
void gatherAddresses(Warp &w, const Op &op, Access &access);

// Checks bytes [offset, offset + bytes) of the block's shared memory for a warp; counts nothing.
bool checkShared(Warp &w, Block &block, u32 lane, u64 offset, u32 bytes, SharedUse use);

// Host pointer of global bytes, checked; null after it reported a fault.
u8 *globalBytes(Warp &w, u32 lane, u64 address, u64 bytes, bool write);

} // namespace tessera::vgpu
