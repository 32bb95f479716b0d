// Which chip an instruction needs beyond what its opcode alone says: by its types and modifiers.
#pragma once
#include "runtime/vgpu/ptx/module.h"

namespace tessera::vgpu {

// Compute capability times ten; 0 when every chip has the form.
uint32_t neededArch(const ptx::Instruction &i);
// The same of a special register's name ("%cluster_ctarank").
uint32_t neededArch(std::string_view specialRegister);

} // namespace tessera::vgpu
