// Reductions of one element into memory, for asynchronous operations that carry them out away from any lane.
#pragma once
#include "runtime/vgpu/exec/ops.h"
#include "runtime/vgpu/ptx/module.h"

namespace tessera::vgpu {

// *to = *to op *from, atomically.
using Reduce = void (*)(u8 *to, const u8 *from);

// The number of the operation that an instruction's modifiers name; 0xff when they name none.
u8 reductionKind(const ptx::Instruction &i);
// Null where the type has no such reduction.
Reduce reductionOf(ptx::Type type, u8 kind);

} // namespace tessera::vgpu
