// What the families of asynchronous operations share: finishing copies, arriving at an mbarrier.
#pragma once
#include "runtime/vgpu/exec/ops.h"
#include <functional>

namespace tessera::vgpu {

// Carries out the cp.async copies of the lanes in w.mask, except those of the newest `open` groups.
void finishCopies(Warp &w, u32 open);

// The mbarrier at a shared::cluster address (its block in `owner`); null after it reported that there is none.
Mbarrier *mbarrierAt(Warp &w, u32 lane, u32 address, Block *&owner);
// `count` arrivals, and `bytes` more (or, negative, fewer) expected; completes the phase when nothing is missing.
bool arriveAt(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 count, s64 bytes);
// An asynchronous copy wrote [offset, offset + bytes) of `owner`, and tells this mbarrier.
// The async proxy needs a fence after the mbarrier's initialisation; `generic`: the copy is not of that proxy.
bool completeCopy(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 offset, u32 bytes, bool generic);

// A delivery into shared memory: where to, the mbarrier that counts its bytes, to which blocks of the cluster (0: to
// the addressed one). A reduction needs its destination to be there already, and races with no other reduction.
struct Delivery {
  u32 address, barrier, bytes, multicast;
  bool reduces = false;
  bool asyncProxy = true; // st.async and red.async are of the generic proxy
};
// `write` puts the data at an offset of a block. False after it reported a fault.
bool deliver(Warp &w, u32 lane, const Delivery &to, const std::function<void(Block &, u32)> &write);

} // namespace tessera::vgpu
