// The last steps that every target shares: LLVM IR through an optimization pipeline to assembly or an object.
#pragma once
#include "base/result.h"
#include "compiler/compile.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace tessera {

// The module as LLVM IR for that machine.
Result<std::unique_ptr<llvm::Module>> translate(mlir::ModuleOp source, llvm::LLVMContext &context,
                                                const llvm::TargetMachine &machine);

// Runs a pipeline in opt's syntax; "" is LLVM's default O3.
Status optimize(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef pipeline);

// Assembly or an object; empty where the target cannot write it. Changes the module.
std::string generate(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type);

// Adds the module's text to the report if it wants "llvm".
void dumpLlvm(const llvm::Module &module, CompileReport *report);

} // namespace tessera
