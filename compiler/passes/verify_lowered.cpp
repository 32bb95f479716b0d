#include "compiler/passes/passes.h"

namespace tessera {
#define GEN_PASS_DEF_VERIFYLOWERED
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

struct VerifyLowered : tessera::impl::VerifyLoweredBase<VerifyLowered> {
  void runOnOperation() override {
    auto walked = getOperation()->walk([&](Operation *op) -> WalkResult {
      if (isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect()))
        return WalkResult::advance();
      return op->emitOpError("is left after lowering to the llvm dialect");
    });
    if (walked.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
