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
      bool gpu = chip->vendor != Vendor::cpu;
      widen(dot.getLhsMutable(), dot.getLhsUnsigned(), gpu);
      widen(dot.getRhsMutable(), dot.getRhsUnsigned(), gpu);
      dot.setLhsUnsigned(false);
      dot.setRhsUnsigned(false);
    });
  }

  static int64_t rowBytes(Value tile) {
    auto type = cast<RankedTensorType>(tile.getType());
    return type.getShape().back() * type.getElementTypeBitWidth() / 8;
  }

  // `through` a transpose, which only renames on a GPU: what a load brought is then moved as it lies in memory, narrow,
  // and read row by row. Rows of less than all banks would meet them several times.
  static void widen(OpOperand &operand, bool isUnsigned, bool through) {
    Value value = operand.get();
    auto trans = value.getDefiningOp<tile::TransOp>();
    if (through && trans && value.hasOneUse() && rowBytes(trans.getValue()) >= 128) {
      widen(trans.getValueMutable(), isUnsigned, through);
      auto wide = cast<RankedTensorType>(trans.getValue().getType());
      value.setType(cast<RankedTensorType>(value.getType()).clone(wide.getElementType()));
      return;
    }
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
