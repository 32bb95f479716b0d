#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/tile/access.h"
#include <numeric>

namespace tessera {
#define GEN_PASS_DEF_TILEALIGNVARIANT
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Beside each kernel, one that may assume that tensors and their rows start at multiples of 16 bytes. Which of the two
// runs is decided at the launch (base/artifact.h).
struct AlignVariant : tessera::impl::TileAlignVariantBase<AlignVariant> {
  void runOnOperation() override {
    for (func::FuncOp kernel : kernelsOf(getOperation())) {
      OpBuilder b(kernel);
      b.setInsertionPointAfter(kernel);
      auto aligned = cast<func::FuncOp>(b.clone(*kernel));
      aligned.setName((kernel.getName() + tile::alignedSuffix).str());
      aligned->setAttr(tile::alignedAttr, b.getUnitAttr());
      for (BlockArgument argument : aligned.getArguments())
        if (auto view = dyn_cast<tile::ViewType>(argument.getType()); view && walksRows(argument))
          assumeWholeRows(aligned, argument.getArgNumber(), view);
    }
  }

  // Elements that are taken one by one, as from a page table, gain nothing by where their rows start.
  static bool walksRows(BlockArgument tensor) {
    return llvm::any_of(tensor.getUsers(), [](Operation *access) {
      tile::Subscript last = tile::axesOf(access).back().kind;
      return last != tile::Subscript::point && last != tile::Subscript::each;
    });
  }

  static void assumeWholeRows(func::FuncOp kernel, unsigned number, tile::ViewType view) {
    auto extents = kernel.getArgAttrOfType<ArrayAttr>(number, tile::extentsAttr);
    if (isa<tile::PackedType>(view.getElementType()) || extents.size() < 2)
      return; // a vector has no rows
    auto name = dyn_cast<StringAttr>(extents[extents.size() - 1]);
    if (!name)
      return;
    int64_t elements = 128 / std::max(8u, view.getElementType().getIntOrFloatBitWidth());
    Builder b(kernel.getContext());
    for (BlockArgument dim : kernel.getArguments()) {
      unsigned at = dim.getArgNumber();
      if (kernel.getArgAttrOfType<StringAttr>(at, tile::dimAttr) != name)
        continue;
      auto known = kernel.getArgAttrOfType<IntegerAttr>(at, tile::divisorAttr);
      int64_t divisor = std::lcm(known ? known.getInt() : 1, elements);
      kernel.setArgAttr(at, tile::divisorAttr, b.getI64IntegerAttr(divisor));
    }
  }
};

} // namespace
