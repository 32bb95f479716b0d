// Operations of calls, between the decoder that places them and the code that carries them out.
#pragma once
#include "runtime/vgpu/exec/warp.h"

namespace tessera::vgpu {

inline constexpr uint32_t stackBytes = 16 << 10; // of a thread's local memory, in kernels that need a stack

// Where a parameter copy begins: at a fixed place, relative to the caller's frame, or to the callee's, which is above.
enum class Base : uint8_t { fixed, frame, top };

void runCopyLocal(Warp &w, const Op &op); // op.x from, op.y to, op.c bytes; op.flag, op.flag2: their bases
void runMove32(Warp &w, const Op &op);
void runMove64(Warp &w, const Op &op);
void runFrameAddress(Warp &w, const Op &op); // op.imm: offset in the frame; op.flag: a 64-bit result
void runCall(Warp &w, const Op &op);         // op.x: entry; op.y: activation, or nowhere for static places
void runCallIndirect(Warp &w, const Op &op); // op.a: addresses; op.x: signature; op.y: where lanes meet again
void runReturn(Warp &w, const Op &op);
void runRestore(Warp &w, const Op &op); // the results of a stacked callee have been read: its registers come back
void runPrintf(Warp &w, const Op &op);
void runAssertFail(Warp &w, const Op &op);

// What the decoder of control flow asks: whether lanes may part at the instruction and meet after it.
bool splitsLanes(const ptx::Instruction &i);
bool isIndirectCall(const Op &op);

} // namespace tessera::vgpu
