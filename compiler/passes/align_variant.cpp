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
      for (BlockArgument dim : aligned.getArguments())
        assumeWhole(aligned, dim.getArgNumber());
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
    for (BlockArgument dim : kernel.getArguments())
      if (kernel.getArgAttrOfType<StringAttr>(dim.getArgNumber(), tile::dimAttr) == name)
        assumeDivisor(kernel, dim.getArgNumber(), elements);
  }

  // A dim of which another is exactly a part or a multiple: N/2 divided by 4 is N divided by 8.
  static void assumeWhole(func::FuncOp kernel, unsigned part) {
    auto scaled = kernel.getArgAttrOfType<DenseI64ArrayAttr>(part, tile::scaledAttr);
    auto known = kernel.getArgAttrOfType<IntegerAttr>(part, tile::divisorAttr);
    if (!scaled || !known)
      return;
    int64_t times = scaled[1], multiple = known.getInt() * scaled[2];
    assumeDivisor(kernel, unsigned(scaled[0]), multiple / std::gcd(times, multiple));
  }

  static void assumeDivisor(func::FuncOp kernel, unsigned dim, int64_t divisor) {
    auto known = kernel.getArgAttrOfType<IntegerAttr>(dim, tile::divisorAttr);
    kernel.setArgAttr(dim, tile::divisorAttr,
                      Builder(kernel.getContext()).getI64IntegerAttr(std::lcm(known ? known.getInt() : 1, divisor)));
  }
};

} // namespace
