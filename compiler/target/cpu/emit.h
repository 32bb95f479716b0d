// From the llvm dialect to an ELF object for a CPU row.
#pragma once
#include "base/result.h"
#include "base/target.h"
#include "compiler/compile.h"
#include "mlir/IR/BuiltinOps.h"

namespace tessera::cpu {

struct Emitted {
  std::string object;
  int64_t stackBytes = 0; // largest stack frame
};

// Translates, optimizes and assembles. `report` (may be null) gets stage times and the llvm and asm dumps it asks for.
Result<Emitted> emitObject(mlir::ModuleOp module, const Target &target, CompileReport *report);

} // namespace tessera::cpu
