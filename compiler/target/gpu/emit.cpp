#include "compiler/target/gpu/emit.h"
#include "compiler/codegen.h"
#include "compiler/stages.h"
#include "compiler/target/gpu/ptx_version.h"
#include "compiler/target/gpu/register_limit.h"
#include "compiler/tile/roles.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include <mutex>

namespace tessera::gpu {

// Our loops are unrolled and vectorized already. O3 and the back end's Aggressive level add three rounds of global
// value numbering, which take 60 % of the time where a kernel has hundreds of accesses to shared memory and save no
// register: docs/design on the NVIDIA target.
static constexpr const char *pipeline = "default<O1>";

static std::unique_ptr<llvm::TargetMachine> makeMachine(const Target &target, llvm::StringRef features,
                                                        std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    // Pointers to shared memory have 32 bits. LLVM has only this process-wide switch for it.
    auto &options = llvm::cl::getRegisteredOptions();
    if (auto found = options.find("nvptx-short-ptr"); found != options.end())
      static_cast<llvm::cl::opt<bool> *>(found->second)->setValue(true);
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(triple, llvm::StringRef(target.arch.data(), target.arch.size()), features,
                                 llvm::TargetOptions(), std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Default));
}

Result<std::string> emitPtx(mlir::ModuleOp source, const Target &target, int64_t threads, CompileReport *report) {
  StageClock clock(report);
  llvm::LLVMContext context;
  std::string error;
  auto machine = makeMachine(target, ptxFeature(source, target), error);
  if (!machine)
    return internalError("LLVM has no NVPTX back end here: " + error);
  std::unique_ptr<llvm::Module> module = TESSERA_TRY(translate(source, context, *machine));
  source.walk([&](mlir::LLVM::LLVMFuncOp kernel) {
    if (auto limit = kernel->getAttrOfType<mlir::IntegerAttr>(registerLimitAttr))
      module->getFunction(kernel.getName())->addFnAttr("nvvm.maxnreg", std::to_string(limit.getInt()));
  });
  clock.done("translate");
  for (llvm::Function &function : *module)
    if (!function.isDeclaration()) {
      function.setCallingConv(llvm::CallingConv::PTX_Kernel);
      function.addFnAttr("target-cpu", machine->getTargetCPU());
      int64_t own = threads;
      if (auto kernel = source.lookupSymbol<mlir::LLVM::LLVMFuncOp>(function.getName()))
        if (auto producers = kernel->getAttrOfType<mlir::IntegerAttr>(tile::producersAttr))
          own = 32 * (kernel->getAttrOfType<mlir::IntegerAttr>(tile::warpsAttr).getInt() + producers.getInt());
      function.addFnAttr("nvvm.reqntid", std::to_string(own));
      for (llvm::Argument &argument : function.args())
        if (argument.hasByValAttr())
          argument.addAttr(llvm::Attribute::get(context, "nvvm.grid_constant"));
      function.addFnAttr(llvm::Attribute::NoUnwind);
      for (llvm::Instruction &instruction : llvm::instructions(function))
        if (auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction))
          if (auto *text = llvm::dyn_cast<llvm::InlineAsm>(call->getCalledOperand());
              text && llvm::StringRef(text->getAsmString()).contains(".aligned")) {
            call->addFnAttr(llvm::Attribute::Convergent); // all threads of the warp execute it, or none
            if (llvm::StringRef(text->getAsmString()).starts_with("setmaxnreg"))
              function.addFnAttr("nvvm.minctasm", "1"); // the registers to share out are one block's
          }
    }
  TESSERA_TRY(optimize(*module, *machine, pipeline));
  clock.done("optimize");
  dumpLlvm(*module, report);
  std::string ptx = generate(*module, *machine, llvm::CodeGenFileType::AssemblyFile);
  clock.done("codegen");
  if (ptx.empty())
    return internalError("LLVM could not write PTX for target " + std::string(target.name));
  if (report && wanted(*report, "asm"))
    report->dumps.push_back({"asm", ptx});
  return ptx;
}

} // namespace tessera::gpu
