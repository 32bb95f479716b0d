#include "compiler/codegen.h"
#include "compiler/stages.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Passes/PassBuilder.h"

namespace tessera {

Result<std::unique_ptr<llvm::Module>> translate(mlir::ModuleOp source, llvm::LLVMContext &context,
                                                const llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> module = mlir::translateModuleToLLVMIR(source, context, "tessera");
  if (!module)
    return internalError("the llvm dialect of a kernel could not be translated to LLVM IR");
  module->setTargetTriple(machine.getTargetTriple());
  module->setDataLayout(machine.createDataLayout());
  return module;
}

Status optimize(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef pipeline) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager manager;
  if (pipeline.empty())
    manager = builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3);
  else if (auto error = builder.parsePassPipeline(manager, pipeline))
    return internalError("LLVM refused our optimization pipeline: " + llvm::toString(std::move(error)));
  manager.run(module, modules);
  return {};
}

std::string generate(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type) {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager manager;
  if (machine.addPassesToEmitFile(manager, out, nullptr, type))
    return {};
  manager.run(module);
  return std::string(bytes);
}

void dumpLlvm(const llvm::Module &module, CompileReport *report) {
  if (!report || !wanted(*report, "llvm"))
    return;
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out, nullptr);
  report->dumps.push_back({"llvm", text});
}

} // namespace tessera
