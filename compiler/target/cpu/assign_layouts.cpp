#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/cpu/access.h"
#include "compiler/target/cpu/mma.h"
#include "compiler/tile/layouts.h"

namespace tessera {
#define GEN_PASS_DEF_TILEASSIGNLAYOUTS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Every tile takes the row layout of its shape, whatever its element type, so that element-wise operations agree by
// construction. Only the way from memory to a dot (or a transpose) may differ: where memory already lies as the dot
// wants it (panels of packed weights, broadcast scalars), the load takes that layout; elsewhere tile.convert does it.
struct AssignLayouts : tessera::impl::TileAssignLayoutsBase<AssignLayouts> {
  using Base::Base;
  int lanes = 0;

  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    lanes = cpu::lanes(*chip);
    getOperation()->walk([&](Operation *op) {
      for (Value result : op->getResults())
        setLayout(result);
      for (Region &region : op->getRegions())
        for (Block &block : region)
          for (Value argument : block.getArguments())
            setLayout(argument);
    });
    SmallVector<Operation *> users;
    getOperation()->walk([&](Operation *op) {
      if (isa<tile::DotOp, tile::TransOp>(op))
        users.push_back(op);
    });
    for (Operation *op : users)
      if (auto dot = dyn_cast<tile::DotOp>(op))
        assignDot(dot, *chip);
    for (Operation *op : users)
      if (auto trans = dyn_cast<tile::TransOp>(op))
        assignTrans(trans);
  }

  Layout rowLayoutOf(Value value) { return rowLayout(cast<RankedTensorType>(value.getType()).getShape(), lanes); }

  static void setType(Value value, const Layout &layout) {
    auto type = tile::withLayout(cast<RankedTensorType>(value.getType()), layout);
    if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
      auto splat = cast<SplatElementsAttr>(constant.getValue());
      constant.setValueAttr(DenseElementsAttr::get(type, splat.getSplatValue<Attribute>()));
    }
    value.setType(type);
  }

  void setLayout(Value value) {
    if (isa<RankedTensorType>(value.getType()))
      setType(value, rowLayoutOf(value));
  }

  static Layout layoutOf(Value value) { return tile::layoutOf(cast<RankedTensorType>(value.getType())); }

  // Gives `value` the layout by changing how it is loaded, through casts and transposes that nobody else uses.
  bool loadAs(Value value, const Layout &layout, bool commit) {
    if (layoutOf(value) == layout)
      return true;
    if (!value.hasOneUse())
      return false;
    Operation *op = value.getDefiningOp();
    bool possible = false;
    if (auto load = dyn_cast_or_null<tile::LoadOp>(op))
      possible = !load.getMask() && cpu::lanesAreConsecutive(load, layout);
    else if (auto trans = dyn_cast_or_null<tile::TransOp>(op))
      possible = loadAs(trans.getValue(), layout.transposed(), commit);
    else if (auto reshape = dyn_cast_or_null<tile::ReshapeOp>(op)) {
      // Only for vectors: elements one by one are read in any order anyway.
      auto shape = cast<RankedTensorType>(reshape.getValue().getType()).getShape();
      std::optional<Layout> before;
      if (!layout.lane.empty())
        before = layout.reshaped({shape.data(), shape.size()});
      possible = before && loadAs(reshape.getValue(), *before, commit);
    } else if (isa_and_nonnull<arith::ExtFOp, arith::SIToFPOp, arith::UIToFPOp>(op))
      // A cast of scalars costs as many instructions as elements; only vectors are worth it.
      possible = !layout.lane.empty() && loadAs(op->getOperand(0), layout, commit);
    if (possible && commit)
      setType(value, layout);
    return possible;
  }

  void want(OpOperand &operand, const Layout &layout) {
    Value value = operand.get();
    if (layoutOf(value) == layout)
      return;
    if (loadAs(value, layout, /*commit=*/false)) {
      loadAs(value, layout, /*commit=*/true);
      return;
    }
    OpBuilder b(operand.getOwner());
    b.setInsertionPointAfterValue(value); // beside the definition, so that it stays outside loops it is constant in
    operand.set(tile::ConvertOp::create(b, operand.getOwner()->getLoc(),
                                        tile::withLayout(cast<RankedTensorType>(value.getType()), layout), value));
  }

  void assignDot(tile::DotOp dot, const Target &target) {
    const cpu::MmaOp *mma = cpu::chooseMma(target, dot);
    if (!mma) {
      dot.emitError() << "no matrix operation of target " << StringRef(target.name.data(), target.name.size())
                      << " multiplies these types";
      return signalPassFailure();
    }
    auto shape = [](Value v) { return cast<RankedTensorType>(v.getType()).getShape(); };
    want(dot.getLhsMutable(), cpu::lhsLayout(*mma, shape(dot.getLhs())));
    want(dot.getRhsMutable(), cpu::rhsLayout(*mma, shape(dot.getRhs()), lanes));
  }

  // A transpose renames coordinates; what it yields is converted back to rows unless memory could be read that way.
  void assignTrans(tile::TransOp trans) {
    if (layoutOf(trans.getValue()).transposed() == layoutOf(trans.getResult()))
      return;
    Layout wanted = layoutOf(trans.getResult());
    if (loadAs(trans.getValue(), wanted.transposed(), false)) {
      loadAs(trans.getValue(), wanted.transposed(), true);
      return;
    }
    Layout natural = layoutOf(trans.getValue()).transposed();
    auto type = tile::withLayout(cast<RankedTensorType>(trans.getResult().getType()), natural);
    OpBuilder b(trans);
    b.setInsertionPointAfter(trans);
    auto back = tile::ConvertOp::create(b, trans.getLoc(), trans.getResult().getType(), trans.getResult());
    trans.getResult().setType(type);
    trans.getResult().replaceAllUsesExcept(back.getResult(), back);
  }
};

} // namespace
