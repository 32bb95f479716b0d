#include "base/target.h"
#include "compiler/passes/passes.h"

namespace tessera {
#define GEN_PASS_DEF_TILECHECKSIZES
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Multiply-adds of one dot after unrolling over 32-bit lanes; beyond it compile time explodes.
constexpr int64_t maxUnrolledDot = 1 << 12;

struct CheckSizes : tessera::impl::TileCheckSizesBase<CheckSizes> {
  using Base::Base;
  void runOnOperation() override {
    auto found = findTarget(std::string(target));
    if (!found) {
      getOperation().emitError(found.error().message);
      return signalPassFailure();
    }
    const Target &row = **found;
    StringRef name(row.name.data(), row.name.size());
    auto walked = getOperation()->walk([&](Operation *op) -> WalkResult {
      for (Type type : op->getResultTypes()) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (!tensor)
          continue;
        int64_t bytes = tensor.getNumElements() * std::max(8u, tensor.getElementTypeBitWidth()) / 8;
        if (bytes > row.tileBytes)
          return op->emitError() << "this tile of " << shapeText(tensor) << " needs " << bytes << " bytes; target "
                                 << name << " holds " << row.tileBytes;
      }
      if (auto dot = dyn_cast<tile::DotOp>(op)) {
        int64_t lanes = row.vectorBytes / 4, k = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1);
        auto acc = cast<RankedTensorType>(dot.getType());
        int64_t steps = acc.getDimSize(0) * k * ((acc.getDimSize(1) + lanes - 1) / lanes);
        if (steps > maxUnrolledDot)
          return op->emitError() << "this dot of depth " << k << " into " << shapeText(acc) << " unrolls to " << steps
                                 << " vector multiply-adds; target " << name << " takes " << maxUnrolledDot;
      }
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      signalPassFailure();
  }

  static std::string shapeText(RankedTensorType type) {
    std::string text;
    llvm::raw_string_ostream out(text);
    for (int64_t extent : type.getShape())
      out << extent << "x";
    out << type.getElementType();
    return text;
  }
};

} // namespace
