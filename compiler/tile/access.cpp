#include "compiler/tile/access.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tessera::tile {

SmallVector<AxisAccess> axesOf(Operation *access) {
  SmallVector<AxisAccess> axes;
  llvm::TypeSwitch<Operation *>(access).Case<LoadOp, StoreOp, AtomicAddOp, CopyOp>([&](auto op) {
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

int elementBits(const PackedFormat &format, Component component) {
  switch (component) {
  case Component::codes:
    return info(format.element).bits;
  case Component::scales:
  case Component::mins:
    return info(format.scale).bits;
  case Component::words:
  case Component::highWords:
    return 32;
  default:
    return 16;
  }
}

PanelPlace panelPlace(const PackedFormat &format, Component component, int plane, int64_t row, int64_t column) {
  PanelOffsets offsets = panelOffsets(format);
  int64_t bytes = elementBits(format, component) / 8, scaleStride = panelRows * bytes;
  int64_t scaleAt = column / format.group * scaleStride + row * bytes;
  switch (component) {
  case Component::codes:
    break;
  case Component::scales:
    return {offsets.scales + scaleAt, 0, scaleStride};
  case Component::mins:
    return {offsets.mins + scaleAt, 0, scaleStride};
  case Component::superScales:
    return {offsets.superScales + row * bytes, 0, 0};
  case Component::superMins:
    return {offsets.superMins + row * bytes, 0, 0};
  case Component::words:
  case Component::highWords:
    plane = component == Component::highWords;
    break;
  }
  if (format.isValues())
    return {row * bytes, 0, 0};
  CodePlane at = codePlanes(format).plane[plane];
  int64_t quad = column / 4, quads = 8 / at.bits; // k1 k0 lie side by side, then the rows; quads share bytes
  return {at.offset + quad / quads * 4 * panelRows + row * 4 + column % 4, int(quad % quads * at.bits),
          int64_t(panelRows) * format.group * at.bits / 8};
}

int64_t columnsAnElement(const PackedFormat &format, Component component, int64_t columns) {
  switch (component) {
  case Component::codes:
    return 1;
  case Component::scales:
  case Component::mins:
    return format.group;
  case Component::words:
  case Component::highWords:
    return 32 / codePlanes(format).plane[component == Component::highWords].bits;
  default:
    return std::min<int64_t>(format.block, columns);
  }
}

ViewType viewOf(Operation *access) {
  if (auto load = dyn_cast<LoadOp>(access))
    return load.getView().getType();
  if (auto copy = dyn_cast<CopyOp>(access))
    return copy.getView().getType();
  if (auto store = dyn_cast<StoreOp>(access))
    return store.getView().getType();
  return cast<AtomicAddOp>(access).getView().getType();
}

} // namespace tessera::tile
