#include "compiler/passes/passes.h"
#include "compiler/tile/layouts.h"

namespace tessera {
#define GEN_PASS_DEF_TILEVERIFYLAYOUTS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

struct VerifyLayouts : tessera::impl::TileVerifyLayoutsBase<VerifyLayouts> {
  void runOnOperation() override {
    auto walked = getOperation()->walk([&](Operation *op) -> WalkResult {
      for (Type type : op->getResultTypes()) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (!tensor)
          continue;
        if (!tile::hasLayout(tensor))
          return op->emitOpError() << "yields " << tensor << ", which has no layout";
        Coordinate covered = tile::layoutOf(tensor).shape();
        if (ArrayRef<int64_t>(covered) != tensor.getShape())
          return op->emitOpError() << "yields " << tensor << ", whose layout covers another shape";
      }
      if (op->hasTrait<OpTrait::Elementwise>()) {
        Attribute layout;
        for (Type type :
             llvm::concat<Type>(SmallVector<Type>(op->getOperandTypes()), SmallVector<Type>(op->getResultTypes())))
          if (auto tensor = dyn_cast<RankedTensorType>(type)) {
            if (layout && layout != tensor.getEncoding())
              return op->emitOpError() << "mixes layouts " << layout << " and " << tensor.getEncoding();
            layout = tensor.getEncoding();
          }
      }
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
