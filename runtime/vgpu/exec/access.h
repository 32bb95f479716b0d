// The one way from a lane's address to bytes of the host: finds the space, checks, counts.
#pragma once
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

// How shared memory is touched, for the checker.
// beginCopy is cp.async, of the generic proxy, and beginReduce red.async; beginAsync and readAsync are those of the
// async proxy.
enum class SharedUse : u8 {
  read,
  atomicRead,
  write,
  atomicWrite,
  atomicUpdate,
  beginCopy,
  beginAsync,
  readAsync,
  beginReduce,
  beginReduceAsync
};

struct Access {
  u64 address[lanes]; // in the space; generic ones are sorted out
  u8 *at[lanes];      // answer
  u32 mask = 0;
  u32 bytes = 4; // of each lane
  bool write = false, read = true;
  bool atomic = false;   // races with other atomics are none
  bool uncached = false; // goes by the L1: .cg, .cv
  bool async = false;    // the destination of cp.async
  static constexpr u8 acquire = 1, release = 2;
  u8 order = 0;          // of an atomic access
  bool compares = false; // the caller looks at `rewrites`
  u32 rewrites = 0;      // answer: lanes that write what another lane of the warp wrote and nobody ordered

  SharedUse use() const {
    if (async)
      return SharedUse::beginCopy;
    return write    ? (atomic ? (read ? SharedUse::atomicUpdate : SharedUse::atomicWrite) : SharedUse::write)
           : atomic ? SharedUse::atomicRead
                    : SharedUse::read;
  }
};

// Fills access.at for the lanes of access.mask. False after it reported a fault.
bool resolve(Warp &w, const Op &op, ptx::Space space, Access &access);

// Lane addresses of a memory operation: plane op.a (64-bit when op.flag bit 0), plus op.imm.
void gatherAddresses(Warp &w, const Op &op, Access &access);

// Checks bytes [offset, offset + bytes) of the block's shared memory for a lane; counts nothing. With `rewrites`, a
// store over what another lane of the warp stored is noted there and not reported.
bool checkSharedClosely(Warp &w, Block &block, u32 lane, u64 offset, u32 bytes, SharedUse use, u32 *rewrites);
inline bool checkShared(Warp &w, Block &block, u32 lane, u64 offset, u32 bytes, SharedUse use,
                        u32 *rewrites = nullptr) {
  // Whole words that are read without any doubt: most accesses.
  if (use == SharedUse::read && ((offset | bytes) & 3) == 0 && &block == w.block) {
    u64 word = offset >> 2, end = (offset + bytes) >> 2;
    w.viewer.lane = lane;
    if (block.shadow.readWords(word, end, w.viewer, 1u << lane) == end)
      return true;
  }
  return checkSharedClosely(w, block, lane, offset, bytes, use, rewrites);
}

// Order (order.cpp): a memory fence; an atomic access to a word of shared memory.
void memoryFence(Warp &w);
void atomicOrder(Warp &w, Block &block, u32 lane, u32 word, const Access &x);

// Host pointer of global bytes, checked; null after it reported a fault.
u8 *globalBytes(Warp &w, u32 lane, u64 address, u64 bytes, bool write);

} // namespace tessera::vgpu
