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

const Panel *panelOf(ViewType view) {
  auto packed = dyn_cast<PackedType>(view.getElementType());
  if (!packed)
    return nullptr;
  StringRef name = packed.getFormat();
  return &tessera::panelOf(*dtypeByName(std::string_view(name.data(), name.size())));
}

const PackedFormat *packedFormat(ViewType view) {
  const Panel *panel = panelOf(view);
  return panel ? &panel->format : nullptr;
}

const PanelPart &partOf(const Panel &panel, Component component, int plane) {
  switch (component) {
  case Component::codes:
    return panel.at(plane ? PanelArray::highCodes : PanelArray::codes);
  case Component::words:
    return panel.at(PanelArray::codes);
  case Component::highWords:
    return panel.at(PanelArray::highCodes);
  case Component::scales:
    return panel.at(PanelArray::scales);
  case Component::mins:
    return panel.at(PanelArray::mins);
  case Component::superScales:
    return panel.at(PanelArray::superScales);
  case Component::superMins:
    return panel.at(PanelArray::superMins);
  }
  llvm_unreachable("all components are above");
}

int elementBits(const Panel &panel, Component component) {
  if (component == Component::codes)
    return info(panel.format.element).bits;
  return isWords(component) ? 32 : partOf(panel, component, 0).bits;
}

int64_t columnsAnElement(const Panel &panel, Component component, int64_t columns) {
  const PanelPart &part = partOf(panel, component, 0);
  if (isWords(component))
    return part.word().block()[1];
  bool outer = component == Component::superScales || component == Component::superMins;
  return outer ? std::min(part.columns, columns) : part.columns;
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
