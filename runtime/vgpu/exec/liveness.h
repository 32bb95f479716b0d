// Register liveness over PTX: how many registers a thread needs at once, told in 32-bit units.
#pragma once
#include "runtime/vgpu/exec/flow.h"
#include <map>

namespace tessera::vgpu {

// One operand of an instruction, as the decoder resolved it.
struct RegisterTouch {
  uint32_t instruction = 0; // index into the function's body
  int32_t reg = -1;
  bool write = false;
};

// What one function needs on its own.
struct FunctionNeed {
  uint32_t live = 0;       // most 32-bit units that live at one point; 64-bit registers count two
  uint32_t ahead = 0;      // the same where loads that nothing orders are issued together
  uint32_t predicates = 0; // the same for predicates, which have registers of their own
  uint32_t line = 0;       // of the PTX text, where `live` is reached
  bool usesAbi = false;    // it calls something: arguments and results travel by convention
  std::vector<std::pair<uint32_t, uint32_t>> calls; // instruction of a call, units that live across it
};

// Backward dataflow over the basic blocks. A guarded write does not end a value's life. Values that the assembler makes
// again where they are used (kernel parameters, constants) need no register in between, and count only where they are
// operands of something that cannot take them as they are.
FunctionNeed liveRegisters(const Flow &flow, const std::vector<RegisterTouch> &touches);

} // namespace tessera::vgpu
