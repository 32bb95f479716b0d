#include "compiler/compile.h"
#include "base/hash.h"
#include "compiler/pipeline.h"
#include "compiler/stages.h"
#include "compiler/target/cpu/emit.h"
#include "compiler/target/gpu/emit.h"
#include "compiler/target/gpu/grid.h"
#include "compiler/tile/roles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace mlir;

namespace tessera {

std::string Schedule::text() const {
  return std::string("split_edges=") + (splitEdges ? "1" : "0") + ",peel_loops=" + (peelLoops ? "1" : "0") +
         ",warps=" + std::to_string(warps) + ",stages=" + std::to_string(stages) + ",raster=" + std::to_string(raster) +
         ",persistent=" + std::to_string(persistent);
}

std::string cacheKey(const Program &program, const Target &target, const Schedule &schedule,
                     std::string_view assembler) {
  // A GPU's code names the user's lines, so it is another one where a line has moved.
  std::string all = target.vendor == Vendor::cpu ? program.fingerprint : program.text, laidOut = schedule.text();
  for (std::string_view part : {std::string_view(program.config), target.name, target.arch, target.features,
                                std::string_view(laidOut), compilerVersion(), assembler}) {
    all += '\0';
    all += part;
  }
  return hash128(all).hex();
}

namespace {

// The user's line behind an MLIR location, as "file:line".
std::pair<std::string, int> lineOf(Location loc) {
  std::pair<std::string, int> found{"", 0};
  loc->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    found = {file.getFilename().str(), int(file.getLine())};
    return WalkResult::interrupt();
  });
  return found;
}

// A line is compiled once for the interior and once for edges; it is explained once, as the first of them.
void addRemark(CompileReport &report, Remark remark) {
  if (std::ranges::find(report.remarks, remark) == report.remarks.end())
    report.remarks.push_back(std::move(remark));
}

// Collects what the passes say: the first error, and remarks for the report.
class Listener {
public:
  Listener(MLIRContext &context, CompileReport *report)
      : handler(&context, [this, report](Diagnostic &diagnostic) {
          auto [file, line] = lineOf(diagnostic.getLocation());
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error && error.empty())
            error = (file.empty() ? "" : file + ":" + std::to_string(line) + ": ") + diagnostic.str();
          else if (diagnostic.getSeverity() == DiagnosticSeverity::Remark && report)
            addRemark(*report, {file, line, diagnostic.str()});
          return success();
        }) {}
  std::string error;

private:
  ScopedDiagnosticHandler handler;
};

// TESSERA_DUMP=stage,stage:directory, e.g. tile,asm:/tmp/dump.
struct DumpRequest {
  std::vector<std::string> stages;
  std::string directory;
};

std::optional<DumpRequest> dumpRequest() {
  const char *value = std::getenv("TESSERA_DUMP");
  if (!value || !*value)
    return std::nullopt;
  StringRef text(value);
  auto [stages, directory] = text.split(':');
  DumpRequest request{{}, directory.empty() ? "." : directory.str()};
  for (StringRef stage : llvm::split(stages, ','))
    request.stages.push_back(stage.str());
  return request;
}

Status writeDumps(const CompileReport &report, const DumpRequest &request, const std::string &name) {
  std::error_code ignored;
  std::filesystem::create_directories(request.directory, ignored);
  for (const auto &[stage, text] : report.dumps) {
    if (std::ranges::find(request.stages, stage) == request.stages.end())
      continue;
    std::string path = request.directory + "/" + name + "." + stage +
                       (stage == "asm"    ? ".s"
                        : stage == "llvm" ? ".ll"
                                          : ".mlir");
    std::ofstream out(path, std::ios::binary);
    out << text;
    if (!out.flush())
      return ioError("TESSERA_DUMP: cannot write " + path);
  }
  return {};
}

std::string printed(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out);
  return text;
}

const DialectRegistry &dialects() {
  static const DialectRegistry all = [] {
    DialectRegistry registry;
    registry.insert<tile::TileDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                    LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect, vector::VectorDialect>();
    registerBuiltinDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    return registry;
  }();
  return all;
}

// One context a compilation: no locks are shared between compiling threads.
struct Compilation {
  const Program &program;
  const Target &target;
  const Schedule &schedule;
  CompileReport &report;
  MLIRContext context{dialects(), MLIRContext::Threading::DISABLED};
  Listener listener{context, &report};

  Error failure(const char *stage) {
    if (!listener.error.empty() && listener.error.find(": ") != std::string::npos)
      return invalidArgument(listener.error);
    return internalError(program.signature.name + ": " + stage + " failed: " + listener.error);
  }

  Result<Unit> stage(ModuleOp module, const char *name, llvm::function_ref<void(OpPassManager &)> add) {
    PassManager manager(&context);
    // Canonical IR is checked at the borders by the verify passes; per-pass verification is for the dev preset.
#ifdef NDEBUG
    manager.enableVerifier(false);
#endif
    add(manager);
    if (mlir::failed(manager.run(module)))
      return failure(name);
    if (wanted(report, name))
      report.dumps.push_back({name, printed(module)});
    return {};
  }

  static void describeMaps(func::FuncOp kernel, Artifact &artifact) {
    auto maps = kernel->getAttrOfType<ArrayAttr>(tile::mapsAttr);
    for (Attribute each : maps ? maps.getValue() : ArrayRef<Attribute>()) {
      auto map = cast<DenseI64ArrayAttr>(each);
      artifact.tensorMaps.push_back({map[0] - int64_t(artifact.signature.dims.size()),
                                     {map.asArrayRef().begin() + 2, map.asArrayRef().end()},
                                     map[1]});
    }
  }

  // What the layout stage decided: threads, shared memory, and what the aligned variant assumes.
  void describeLaunch(ModuleOp module, Artifact &artifact) const {
    for (auto kernel : module.getOps<func::FuncOp>()) {
      if (kernel->hasAttr(gpu::persistentAttr))
        artifact.block.persistent = schedule.persistent;
      int64_t warps = kernel->getAttrOfType<IntegerAttr>(tile::warpsAttr).getInt();
      auto producers = kernel->getAttrOfType<IntegerAttr>(tile::producersAttr);
      if (!producers)
        artifact.block.threads[0] = 32 * warps;
      else
        artifact.alignedThreads = 32 * (warps + producers.getInt());
      artifact.block.dynamicSharedBytes = std::max<int64_t>(
          artifact.block.dynamicSharedBytes, kernel->getAttrOfType<IntegerAttr>(tile::sharedAttr).getInt());
      if (!kernel->hasAttr(tile::alignedAttr))
        continue;
      artifact.alignedEntry = kernel.getName().str();
      describeMaps(kernel, artifact);
      for (size_t dim = 0; dim < artifact.signature.dims.size(); ++dim) {
        auto divisor = kernel.getArgAttrOfType<IntegerAttr>(unsigned(dim), tile::divisorAttr);
        artifact.alignedDivisors.push_back(divisor ? divisor.getInt() : 1);
      }
    }
  }

  Result<Artifact> run() {
    StageClock clock(&report);
    context.loadAllAvailableDialects();
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(program.text, &context);
    if (!module)
      return failure("parsing tile IR");
    clock.done("parse");
    TESSERA_TRY(stage(*module, "tile", [&](OpPassManager &pm) { addTileStage(pm, target, schedule); }));
    clock.done("tile");
    TESSERA_TRY(stage(*module, "layout", [&](OpPassManager &pm) { addLayoutStage(pm, target, schedule); }));
    clock.done("layout");
    Artifact artifact;
    artifact.signature = program.signature;
    artifact.target = target.name;
    artifact.entry = program.signature.name;
    if (target.vendor != Vendor::cpu)
      describeLaunch(*module, artifact);
    TESSERA_TRY(stage(*module, "lower", [&](OpPassManager &pm) { addLoweringStage(pm, target); }));
    clock.done("lower");
    if (target.vendor != Vendor::cpu) {
      artifact.bytes = TESSERA_TRY(gpu::emitPtx(*module, target, artifact.block.threads[0], &report));
      return artifact;
    }
    cpu::Emitted emitted = TESSERA_TRY(cpu::emitObject(*module, target, &report));
    artifact.bytes = std::move(emitted.object);
    artifact.resources.scratchBytes = emitted.stackBytes;
    // The lowering itself asks for two guard registers of twice a vector (lower.cpp); what is more was spilled.
    artifact.resources.spillBytes = std::max<int64_t>(0, emitted.stackBytes - 4 * target.vectorBytes);
    return artifact;
  }
};

} // namespace

Result<Artifact> compile(const Program &program, const Target &target, const Schedule &schedule,
                         CompileReport *report) {
  if (target.vendor == Vendor::amd)
    return unsupported(program.signature.name + ": no code generator for target " + std::string(target.name) + " yet");
  CompileReport own;
  CompileReport &used = report ? *report : own;
  auto dump = dumpRequest();
  size_t asked = used.keep.size();
  if (dump)
    used.keep.insert(used.keep.end(), dump->stages.begin(), dump->stages.end());
  auto compilation = std::make_unique<Compilation>(program, target, schedule, used);
  Result<Artifact> artifact = compilation->run();
  if (dump)
    TESSERA_TRY(writeDumps(used, *dump, program.signature.name));
  used.keep.resize(asked);
  return artifact;
}

} // namespace tessera
