#include "compiler/lower/memory_order.h"
#include "compiler/layout/algebra.h"
#include "compiler/passes/inside.h"
#include "compiler/tile/access.h"

using namespace mlir;

namespace tessera {

static int64_t rankOf(ArrayRef<tile::AxisAccess> axes) {
  int rank = 0;
  for (const tile::AxisAccess &axis : axes)
    rank = std::max(rank, axis.tileAxis + 1);
  return rank;
}

Layout memoryOrder(Operation *access) {
  auto axes = tile::axesOf(access);
  int rank = int(rankOf(axes));
  auto walkedBy = [&](const tile::AxisAccess &axis) { return axis.kind == tile::Subscript::each ? -1 : axis.tileAxis; };
  const Panel *panel = tile::panelOf(tile::viewOf(access));
  if (!panel) {
    constexpr int64_t far = int64_t(1) << 32; // longer than a tile
    int last = axes.empty() ? -1 : walkedBy(axes.back());
    return along(&Layout::reg, std::max(last, 0), last < 0 ? 1 : far, rank);
  }
  auto component = *cast<tile::LoadOp>(access).getComponent();
  const PanelPart &part = tile::partOf(*panel, component, 0);
  Layout elements = part.bytes();
  if (tile::isWords(component))
    elements = *divide(part.order, part.word());
  // Columns begin at a whole group, rows at what is known of their origin.
  Layout order = along(&Layout::reg, 0, 1, rank);
  int64_t columns = std::max<int64_t>(panel->format.group / tile::columnsAnElement(*panel, component, 1), 1);
  for (const Coordinate &basis : elements.reg) {
    int axis = basis[0] ? 0 : 1, tileAxis = walkedBy(axes[axis]);
    bool aligned = axis ? basis[1] < columns : !axes[0].index || knownDivisor(axes[0].index) % (2 * basis[0]) == 0;
    if (tileAxis < 0 || !aligned)
      break;
    Coordinate walked(size_t(rank), 0);
    walked[size_t(tileAxis)] = basis[size_t(axis)];
    order.reg.push_back(std::move(walked));
  }
  return order;
}

} // namespace tessera
