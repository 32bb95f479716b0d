#include "compiler/tile/access.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tessera::tile {

SmallVector<AxisAccess> axesOf(Operation *access) {
  SmallVector<AxisAccess> axes;
  llvm::TypeSwitch<Operation *>(access).Case<LoadOp, StoreOp, AtomicAddOp>([&](auto op) {
    unsigned next = 0;
    int tileAxis = 0, gatherAxis = -1;
    for (int32_t number : op.getKinds()) {
      AxisAccess axis{Subscript(number), {}, {}, -1};
      if (axis.kind != Subscript::all)
        axis.index = op.getSubscripts()[next++];
      if (axis.kind == Subscript::range)
        axis.bound = op.getSubscripts()[next++];
      if (axis.kind == Subscript::each)
        axis.tileAxis = gatherAxis >= 0 ? gatherAxis : gatherAxis = tileAxis++;
      else if (axis.kind != Subscript::point)
        axis.tileAxis = tileAxis++;
      axes.push_back(axis);
    }
  });
  return axes;
}

const PackedFormat *packedFormat(ViewType view) {
  auto packed = dyn_cast<PackedType>(view.getElementType());
  if (!packed)
    return nullptr;
  StringRef name = packed.getFormat();
  return &*info(*dtypeByName(std::string_view(name.data(), name.size()))).packed;
}

int64_t panelBit(const PackedFormat &format, Component component, int64_t row, int64_t column) {
  int64_t codeBits = int64_t(panelRows) * format.block * format.bits;
  if (component == Component::scales)
    return codeBits + row * 16;
  if (component == Component::mins)
    return codeBits + (panelRows + row) * 16;
  int64_t low = column & 3, high = column >> 2; // k1 k0 lie side by side, the rest of k above the row
  if (format.bits == 8)
    return 8 * (high * 4 * panelRows + row * 4 + low);
  return 8 * ((high >> 1) * 4 * panelRows + row * 4 + low) + 4 * (high & 1);
}

ViewType viewOf(Operation *access) {
  if (auto load = dyn_cast<LoadOp>(access))
    return load.getView().getType();
  if (auto store = dyn_cast<StoreOp>(access))
    return store.getView().getType();
  return cast<AtomicAddOp>(access).getView().getType();
}

} // namespace tessera::tile
