#include "compiler/passes/passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/BinaryFormat/Dwarf.h"

namespace tessera {
#define GEN_PASS_DEF_LINEINFO
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;

namespace {

// LLVM keeps an instruction's line only under a scope, so each kernel becomes a subprogram of a compile unit that
// wants line directives and no debug sections. The traced files' names are kept as they are: the build made them
// relative to its root (-ffile-prefix-map), so that the text does not depend on the directory.
struct LineInfo : tessera::impl::LineInfoBase<LineInfo> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (!kernel.isExternal())
        describe(kernel);
  }

  void describe(LLVM::LLVMFuncOp kernel) {
    FileLineColLoc first;
    kernel.walk([&](Operation *op) {
      first = op->getLoc()->findInstanceOf<FileLineColLoc>();
      return first ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (!first)
      return; // written by hand, without lines
    MLIRContext *context = &getContext();
    auto file = [&](StringAttr name) { return LLVM::DIFileAttr::get(context, name, StringAttr::get(context, "")); };
    auto unit =
        LLVM::DICompileUnitAttr::get(DistinctAttr::create(UnitAttr::get(context)), llvm::dwarf::DW_LANG_C_plus_plus,
                                     file(first.getFilename()), StringAttr::get(context, "tessera"),
                                     /*isOptimized=*/true, LLVM::DIEmissionKind::DebugDirectivesOnly);
    auto scope = LLVM::DISubprogramAttr::get(
        context, DistinctAttr::create(UnitAttr::get(context)), unit, file(first.getFilename()), kernel.getNameAttr(),
        kernel.getNameAttr(), file(first.getFilename()), first.getLine(), first.getLine(),
        LLVM::DISubprogramFlags::Definition | LLVM::DISubprogramFlags::Optimized,
        LLVM::DISubroutineTypeAttr::get(context, llvm::dwarf::DW_CC_normal, {}), {}, {});
    kernel.walk([&](Operation *op) {
      if (op == kernel)
        return;
      auto line = op->getLoc()->findInstanceOf<FileLineColLoc>();
      if (line && line.getFilename() != first.getFilename())
        op->setLoc(
            FusedLoc::get(context, {line}, LLVM::DILexicalBlockFileAttr::get(scope, file(line.getFilename()), 0)));
    });
    kernel->setLoc(FusedLoc::get(context, {Location(first)}, scope));
  }
};

} // namespace
