// The PTX version that a kernel's text declares: the lowest that has its chip and its instructions, since a driver
// reads no version newer than itself.
#pragma once
#include "base/target.h"
#include "mlir/IR/BuiltinOps.h"

namespace tessera::gpu {

// As LLVM's feature, e.g. "+ptx65", for a module in the llvm dialect; the row's own features where the chip or one of
// the instructions is not in the tables of ptx_version.cpp.
std::string ptxFeature(mlir::ModuleOp module, const Target &target);

} // namespace tessera::gpu
