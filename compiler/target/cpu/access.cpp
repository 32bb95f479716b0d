#include "compiler/target/cpu/access.h"
#include "compiler/passes/inside.h"
#include "compiler/tile/access.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace tessera::cpu {

bool lanesAreConsecutive(Operation *access, const Layout &layout) {
  auto axes = tile::axesOf(access);
  tile::ViewType view = tile::viewOf(access);
  auto tileAxisOf = [&](const tile::AxisAccess &axis) {
    return axis.kind == tile::Subscript::each ? -1 : axis.tileAxis;
  };
  if (const PackedFormat *format = tile::packedFormat(view)) {
    auto component = *cast<tile::LoadOp>(access).getComponent();
    int rows = tileAxisOf(axes[0]), columns = tileAxisOf(axes[1]);
    bool codes = component == tile::Component::codes;
    int64_t unit = tile::elementBits(*format, component);
    auto bitOf = [&](int64_t row, int64_t column) {
      tile::PanelPlace place = tile::panelPlace(*format, component, 0, row, column);
      return place.byte * 8 + place.shift;
    };
    for (auto [bit, basis] : llvm::enumerate(layout.lane)) {
      int64_t row = rows >= 0 ? basis[rows] : 0, column = columns >= 0 ? basis[columns] : 0;
      if (row && (row >= panelRows || knownDivisor(axes[0].index) % panelRows))
        return false;
      if ((!codes && column) || (!row && !column) || column >= format->group ||
          bitOf(row, column) - bitOf(0, 0) != unit << bit)
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
