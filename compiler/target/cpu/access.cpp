#include "compiler/target/cpu/access.h"
#include "compiler/layout/algebra.h"
#include "compiler/lower/memory_order.h"

namespace tessera::cpu {

bool lanesAreConsecutive(mlir::Operation *access, const Layout &layout) {
  return layout.lane.empty() || together(layout, memoryOrder(access), &Layout::lane) == layout.lanes();
}

} // namespace tessera::cpu
