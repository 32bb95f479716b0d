#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/cpu/mma.h"
#include "compiler/target/gpu/mma.h"

namespace tessera {
#define GEN_PASS_DEF_TILELEGALIZEDOTS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Operands that no matrix operation of the target takes are widened, which loses nothing: halves to f32, bytes to i32.
struct LegalizeDots : tessera::impl::TileLegalizeDotsBase<LegalizeDots> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    getOperation()->walk([&](tile::DotOp dot) {
      if (chip->vendor == Vendor::cpu ? cpu::chooseMma(*chip, dot) != nullptr : gpu::chooseMma(*chip, dot) != nullptr)
        return;
      widen(dot.getLhsMutable(), dot.getLhsUnsigned());
      widen(dot.getRhsMutable(), dot.getRhsUnsigned());
      dot.setLhsUnsigned(false);
      dot.setRhsUnsigned(false);
    });
  }

  static void widen(OpOperand &operand, bool isUnsigned) {
    Value value = operand.get();
    OpBuilder b(operand.getOwner());
    b.setInsertionPointAfterValue(value);
    auto type = cast<RankedTensorType>(value.getType());
    bool isFloat = isa<FloatType>(type.getElementType());
    Type wide = type.clone(isFloat ? Type(b.getF32Type()) : b.getI32Type());
    Location loc = operand.getOwner()->getLoc();
    if (type == wide)
      return;
    operand.set(isFloat      ? arith::ExtFOp::create(b, loc, wide, value).getResult()
                : isUnsigned ? arith::ExtUIOp::create(b, loc, wide, value).getResult()
                             : arith::ExtSIOp::create(b, loc, wide, value).getResult());
  }
};

} // namespace
