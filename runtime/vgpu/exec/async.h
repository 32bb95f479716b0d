// What the families of asynchronous operations share: finishing copies, arriving at an mbarrier.
#pragma once
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

// Carries out the cp.async copies of the lanes in w.mask, except those of the newest `open` groups.
void finishCopies(Warp &w, u32 open);

// The mbarrier at a shared::cluster address (its block in `owner`); null after it reported that there is none.
Mbarrier *mbarrierAt(Warp &w, u32 lane, u32 address, Block *&owner);
// `count` arrivals, and `bytes` more (or, negative, fewer) expected; completes the phase when nothing is missing.
bool arriveAt(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 count, s64 bytes);
// An asynchronous copy wrote [offset, offset + bytes) of `owner`, and tells this mbarrier.
bool completeCopy(Warp &w, u32 lane, Mbarrier &m, Block &owner, u32 offset, u32 bytes);

} // namespace tessera::vgpu
