// The most registers that a kernel's threads may take, where the compiler sets a bound for NVIDIA's assembler.
#pragma once
#include "llvm/ADT/StringRef.h"

namespace tessera::gpu {

// On a kernel, i64: what becomes .maxnreg. Set by tile-pipeline and tile-limit-registers, and only where
// the assembler spills nothing under it.
inline constexpr llvm::StringLiteral registerLimitAttr = "tile.register_limit";

} // namespace tessera::gpu
