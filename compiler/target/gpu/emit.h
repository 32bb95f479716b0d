// From the llvm dialect to PTX for an NVIDIA row.
#pragma once
#include "base/result.h"
#include "base/target.h"
#include "compiler/compile.h"
#include "mlir/IR/BuiltinOps.h"

namespace tessera::gpu {

// Translates, optimizes and writes PTX text. `threads` run a block. `report` (may be null) gets stage times and the
// llvm and asm dumps it asks for.
Result<std::string> emitPtx(mlir::ModuleOp module, const Target &target, int64_t threads, CompileReport *report);

} // namespace tessera::gpu
