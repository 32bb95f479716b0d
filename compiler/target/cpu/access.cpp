#include "compiler/target/cpu/access.h"
#include "compiler/passes/inside.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tessera::cpu {

SmallVector<AxisAccess> axesOf(Operation *access) {
  SmallVector<AxisAccess> axes;
  llvm::TypeSwitch<Operation *>(access).Case<tile::LoadOp, tile::StoreOp, tile::AtomicAddOp>([&](auto op) {
    unsigned next = 0;
    int tileAxis = 0, gatherAxis = -1;
    for (int32_t number : op.getKinds()) {
      AxisAccess axis{tile::Subscript(number), {}, {}, -1};
      if (axis.kind != tile::Subscript::all)
        axis.index = op.getSubscripts()[next++];
      if (axis.kind == tile::Subscript::range)
        axis.bound = op.getSubscripts()[next++];
      if (axis.kind == tile::Subscript::each)
        axis.tileAxis = gatherAxis >= 0 ? gatherAxis : gatherAxis = tileAxis++;
      else if (axis.kind != tile::Subscript::point)
        axis.tileAxis = tileAxis++;
      axes.push_back(axis);
    }
  });
  return axes;
}

const PackedFormat *packedFormat(tile::ViewType view) {
  auto packed = dyn_cast<tile::PackedType>(view.getElementType());
  if (!packed)
    return nullptr;
  StringRef name = packed.getFormat();
  return &*info(*dtypeByName(std::string_view(name.data(), name.size()))).packed;
}

int64_t panelBit(const PackedFormat &format, tile::Component component, int64_t row, int64_t column) {
  int64_t codeBits = int64_t(panelRows) * format.block * format.bits;
  if (component == tile::Component::scales)
    return codeBits + row * 16;
  if (component == tile::Component::mins)
    return codeBits + (panelRows + row) * 16;
  int64_t low = column & 3, high = column >> 2; // k1 k0 lie side by side, the rest of k above the row
  if (format.bits == 8)
    return 8 * (high * 4 * panelRows + row * 4 + low);
  return 8 * ((high >> 1) * 4 * panelRows + row * 4 + low) + 4 * (high & 1);
}

static tile::ViewType viewOf(Operation *access) {
  if (auto load = dyn_cast<tile::LoadOp>(access))
    return load.getView().getType();
  if (auto store = dyn_cast<tile::StoreOp>(access))
    return store.getView().getType();
  return cast<tile::AtomicAddOp>(access).getView().getType();
}

bool lanesAreConsecutive(Operation *access, const Layout &layout) {
  auto axes = axesOf(access);
  tile::ViewType view = viewOf(access);
  auto tileAxisOf = [&](const AxisAccess &axis) { return axis.kind == tile::Subscript::each ? -1 : axis.tileAxis; };
  if (const PackedFormat *format = packedFormat(view)) {
    auto component = *cast<tile::LoadOp>(access).getComponent();
    int rows = tileAxisOf(axes[0]), columns = tileAxisOf(axes[1]);
    bool codes = component == tile::Component::codes;
    for (auto [bit, basis] : llvm::enumerate(layout.lane)) {
      int64_t row = rows >= 0 ? basis[rows] : 0, column = columns >= 0 ? basis[columns] : 0;
      if (row && (row >= panelRows || knownDivisor(axes[0].index) % panelRows))
        return false;
      int64_t base = panelBit(*format, component, 0, 0), unit = codes ? 8 : 16;
      if ((!codes && column) || (!row && !column) || column >= format->block ||
          panelBit(*format, component, row, column) - base != unit << bit)
        return false;
    }
    return true;
  }
  int last = axes.empty() ? -1 : tileAxisOf(axes.back());
  for (auto [bit, basis] : llvm::enumerate(layout.lane))
    for (auto [dimension, step] : llvm::enumerate(basis))
      if (step != (int(dimension) == last ? int64_t(1) << bit : 0))
        return false;
  return true;
}

} // namespace tessera::cpu
