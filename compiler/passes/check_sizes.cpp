#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"

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
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    const Target &row = *chip;
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
        int64_t k = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1);
        auto acc = cast<RankedTensorType>(dot.getType());
        Type element = cast<RankedTensorType>(dot.getLhs().getType()).getElementType();
        if (isa<Float8E4M3FNType, Float8E5M2Type>(element) && !row.has("fp8"))
          return op->emitError() << "target " << name << " has no products of 8-bit floats" << thoseThatHave("fp8")
                                 << "; convert the operands with .to(f16)";
        int64_t steps = stepsOf(row, dot, acc.getDimSize(0), acc.getDimSize(1), k);
        if (steps > maxUnrolledDot)
          return op->emitError() << "this dot of depth " << k << " into " << shapeText(acc) << " unrolls to " << steps
                                 << (row.vendor == Vendor::cpu ? " vector" : " matrix or scalar")
                                 << " multiply-adds; target " << name << " takes " << maxUnrolledDot;
      }
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      signalPassFailure();
  }

  // Multiply-adds of one CPU thread a vector at a time, or of one of a GPU block's 128 threads: matrix operations do 16
  // and more at once.
  static int64_t stepsOf(const Target &row, tile::DotOp dot, int64_t m, int64_t n, int64_t k) {
    if (row.vendor == Vendor::cpu) {
      int64_t lanes = row.vectorBytes / 4;
      return m * k * ((n + lanes - 1) / lanes);
    }
    bool wide = cast<RankedTensorType>(dot.getLhs().getType()).getElementTypeBitWidth() >= 32 &&
                !(dot.getTf32() && row.has("tf32_mma"));
    return m * n * k / (wide ? 128 : 128 * 16);
  }

  static std::string thoseThatHave(std::string_view ability) {
    std::string names;
    for (const Target &row : targets())
      if (row.has(ability))
        names += (names.empty() ? ", as " : ", ") + std::string(row.name);
    return names.empty() ? "" : names + " have";
  }
};

} // namespace
