// What four warps share: wgmma operations in flight, and the registers that setmaxnreg moves between warps.
#pragma once
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

// The wgmma that this warp issues next: false after a finding (registers without wgmma.fence, other warps issued
// another). The warps that are first and last to issue it may differ; `descriptors` must not.
bool issueWgmma(Warp &w, const Op &op, u64 descriptorA, u64 descriptorB);
// Shared memory that the wgmma just issued reads: 16 bytes at `offset`, until it has been waited for.
void readByWgmma(Warp &w, u32 offset);

void runWgmmaFence(Warp &w, const Op &op);
void runWgmmaCommit(Warp &w, const Op &op);
void runWgmmaWait(Warp &w, const Op &op); // op.imm: groups that may stay in flight

// setmaxnreg: op.imm registers a thread; op.flag: inc, and not dec.
void runSetRegisters(Warp &w, const Op &op);
// Registers a thread that a launch begins with; 0 when the kernel does not say (setmaxnreg is then ignored, as ptxas
// does).
u32 launchRegisters(const Program &program);

// Finds the registers that wgmma names and guards what else uses them (register_guard.cpp).
void guardRegisters(Program &program);

} // namespace tessera::vgpu
