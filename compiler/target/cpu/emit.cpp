#include "compiler/target/cpu/emit.h"
#include "compiler/codegen.h"
#include "compiler/stages.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/DataExtractor.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

namespace tessera::cpu {

// The default O3 pipeline compiles two to three times slower and gains nothing here: our loops are already unrolled and
// vectorized. Measured on the step-1 kernels; see docs/design on the CPU target.
// Written as text, instcombine ends the process where one round leaves something for a second, unless told not to.
static constexpr const char *passes =
    "function(sroa,instcombine<no-verify-fixpoint>,early-cse<memssa>,simplifycfg,loop-mssa(loop-rotate,licm),gvn,"
    "instcombine<no-verify-fixpoint>,"
    "loop-mssa(licm),loop(loop-reduce),simplifycfg,dse,adce)";

static std::unique_ptr<llvm::TargetMachine> makeMachine(const Target &target, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  llvm::TargetOptions options;
  options.EmitStackSizeSection = true; // read back by largestFrame()
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(triple, llvm::StringRef(target.arch.data(), target.arch.size()),
                                 llvm::StringRef(target.features.data(), target.features.size()), options,
                                 llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
}

// The largest stack frame in an object: .stack_sizes holds (address, ULEB128 size) for each function (LLVM's
// CodeGenerator document, "Emitting function stack size information").
static int64_t largestFrame(llvm::StringRef object) {
  auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, "kernel"));
  if (!file) {
    llvm::consumeError(file.takeError());
    return 0;
  }
  int64_t largest = 0;
  for (const llvm::object::SectionRef &section : (*file)->sections()) {
    auto name = section.getName();
    auto contents = section.getContents();
    if (!name || !contents || *name != ".stack_sizes") {
      llvm::consumeError(name.takeError());
      llvm::consumeError(contents.takeError());
      continue;
    }
    llvm::DataExtractor data(*contents, /*IsLittleEndian=*/true, /*AddressSize=*/8);
    for (uint64_t at = 0; data.isValidOffset(at);) {
      data.getU64(&at);
      largest = std::max(largest, int64_t(data.getULEB128(&at)));
    }
  }
  return largest;
}

Result<Emitted> emitObject(mlir::ModuleOp source, const Target &target, CompileReport *report) {
  StageClock clock(report);
  llvm::LLVMContext context;
  std::string error;
  auto machine = makeMachine(target, error);
  if (!machine)
    return internalError("LLVM has no x86-64 back end here: " + error);
  std::unique_ptr<llvm::Module> module = TESSERA_TRY(translate(source, context, *machine));
  clock.done("translate");
  for (llvm::Function &function : *module)
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", machine->getTargetCPU());
      function.addFnAttr("target-features", machine->getTargetFeatureString());
      function.addFnAttr("prefer-vector-width", std::to_string(target.vectorBytes * 8));
      function.addFnAttr(llvm::Attribute::NoUnwind);
      function.addFnAttr("frame-pointer", "none");
    }
  TESSERA_TRY(optimize(*module, *machine, passes));
  clock.done("optimize");
  dumpLlvm(*module, report);
  if (report && wanted(*report, "asm")) {
    auto copy = llvm::CloneModule(*module);
    report->dumps.push_back({"asm", generate(*copy, *machine, llvm::CodeGenFileType::AssemblyFile)});
  }
  Emitted out;
  out.object = generate(*module, *machine, llvm::CodeGenFileType::ObjectFile);
  clock.done("codegen");
  if (out.object.empty())
    return internalError("LLVM could not write an object for target " + std::string(target.name));
  out.stackBytes = largestFrame(out.object);
  return out;
}

} // namespace tessera::cpu
