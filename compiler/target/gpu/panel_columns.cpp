#include "compiler/target/gpu/panel_columns.h"
#include "compiler/tile/access.h"
#include "compiler/tile/layouts.h"

using namespace mlir;

namespace tessera::gpu {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

bool readsColumns(tile::LoadOp load) {
  const PackedFormat *format = tile::packedFormat(load.getView().getType());
  auto type = dyn_cast<RankedTensorType>(load.getType());
  return format && format->isValues() && type && type.getRank() == 2 && !load.getMask() &&
         tile::axesOf(load)[0].kind != tile::Subscript::each;
}

bool turnColumns(OpOperand &operand) {
  auto trans = operand.get().getDefiningOp<tile::TransOp>();
  if (!trans || !trans->hasOneUse())
    return false;
  SmallVector<Operation *> casts;
  Value source = trans.getValue();
  while (source.hasOneUse() && isa_and_nonnull<arith::ExtFOp>(source.getDefiningOp())) {
    casts.push_back(source.getDefiningOp());
    source = casts.back()->getOperand(0);
  }
  auto load = source.getDefiningOp<tile::LoadOp>();
  if (!load || !source.hasOneUse() || !readsColumns(load))
    return false;
  Layout turned = tile::layoutOf(tensorOf(source)).transposed();
  ArrayRef<int64_t> shape = tensorOf(trans.getResult()).getShape();
  auto give = [&](Value value, Value like) {
    value.setType(tile::withLayout(RankedTensorType::get(shape, tensorOf(like).getElementType()), turned));
  };
  trans.getValueMutable().assign(source);
  trans->moveAfter(load);
  Value last = trans.getResult();
  give(last, source);
  for (Operation *cast : llvm::reverse(casts)) {
    cast->moveAfter(last.getDefiningOp());
    cast->setOperand(0, last);
    last = cast->getResult(0);
    give(last, last);
  }
  operand.set(last);
  return true;
}

} // namespace tessera::gpu
