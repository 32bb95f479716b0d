// What a kernel takes from an SM: registers by liveness and by its directives, and the occupancy that follows.
#pragma once
#include "runtime/vgpu/exec/liveness.h"
#include "runtime/vgpu/model/estimate.h"

namespace tessera::vgpu {

// Registers that the assembler would allocate for so many live values, an estimate fitted to `ptxas -v` of CUDA 13.0 on
// the test kernels (scripts/dev/vgpu_registers.py prints its errors). The directives .maxnreg, .maxntid, .reqntid and
// .minnctapersm bound it, and what is above the bound is spilled. A kernel with setmaxnreg starts with the bound.
Resources resourcesOf(const ptx::Function &entry, const FunctionNeed &need);

// The most registers that the directives of a kernel leave a thread; 255 without any.
uint32_t registerBound(const ptx::Function &entry);

// Blocks of this shape that reside on an SM, and what limits them; blocksPerSm is 0 where not even one fits.
Occupancy occupancyOf(const Program &program, const Chip &chip, uint32_t threads, uint64_t dynamicShared);

// The most threads of a block that the registers leave room for, a multiple of the warp size.
uint32_t mostThreads(const Program &program);

} // namespace tessera::vgpu
