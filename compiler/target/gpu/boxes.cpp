#include "compiler/target/gpu/boxes.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/tile/access.h"
#include "compiler/tile/roles.h"

using namespace mlir;

namespace tessera::gpu {

constexpr int64_t mostInBox = 256; // along an axis
constexpr size_t mostAxes = 5;
constexpr int64_t unit = 16;  // bytes: rows begin at multiples of it
constexpr int64_t widest = 4; // bytes of an element for which the launch has a type

// Whether the bound is the tensor's own: beyond it the copy engine reads zeros and writes nothing.
static bool endsTensor(Value bound, Attribute extent, func::FuncOp kernel) {
  auto dim = dyn_cast<BlockArgument>(bound);
  auto name = dyn_cast<StringAttr>(extent);
  return dim && name && dim.getOwner()->getParentOp() == kernel &&
         kernel.getArgAttrOfType<StringAttr>(dim.getArgNumber(), tile::dimAttr) == name;
}

std::optional<Box> boxOf(Operation *access, RankedTensorType tile, tile::SharedType buffer) {
  auto kernel = access->getParentOfType<func::FuncOp>();
  auto view = dyn_cast<BlockArgument>(access->getOperand(isa<tile::StoreOp>(access) ? 1 : 0));
  if (!view || tile.getRank() < 2 || tile::packedFormat(tile::viewOf(access)))
    return std::nullopt;
  auto extents = kernel.getArgAttrOfType<ArrayAttr>(view.getArgNumber(), tile::extentsAttr);
  SmallVector<tile::AxisAccess> axes = tile::axesOf(access);
  int64_t bytes = elementBytes(tile), panel = buffer.getShape().back();
  auto fixed = dyn_cast<IntegerAttr>(extents[extents.size() - 1]);
  if (bytes > widest || axes.size() > mostAxes || axes.back().tileAxis != tile.getRank() - 1 || panel * bytes % unit ||
      (fixed && fixed.getInt() * bytes % unit))
    return std::nullopt;
  constexpr int64_t rowsOfPattern = 8; // after which a swizzle repeats: where the next panel may begin
  if (buffer.getShape().size() == 3 && buffer.getShape()[1] % rowsOfPattern)
    return std::nullopt;
  Box box{{int64_t(view.getArgNumber()), panel * bytes}, {}, {}, {}};
  int next = 0; // rows of the tile in the order in which the engine walks them
  for (auto [axis, walked] : llvm::enumerate(axes)) {
    if (walked.kind == tile::Subscript::each || (walked.tileAxis >= 0 && walked.tileAxis != next++))
      return std::nullopt;
    if (walked.kind == tile::Subscript::range && !endsTensor(walked.bound, extents[axis], kernel)) {
      if (walked.tileAxis != 0)
        return std::nullopt;
      box.row = walked.index, box.limit = walked.bound;
    }
    box.origin.push_back(walked.index);
    int64_t along = walked.tileAxis < 0 ? 1 : axis + 1 == axes.size() ? panel : tile.getDimSize(walked.tileAxis);
    if (along > mostInBox)
      return std::nullopt;
    box.map.push_back(along);
  }
  return next == tile.getRank() ? std::optional(box) : std::nullopt;
}

int64_t mapNumber(func::FuncOp kernel, ArrayRef<int64_t> map) {
  auto known = kernel->getAttrOfType<ArrayAttr>(tile::mapsAttr);
  SmallVector<Attribute> maps(known ? known.getValue() : ArrayRef<Attribute>());
  Attribute entry = DenseI64ArrayAttr::get(kernel.getContext(), map);
  auto found = llvm::find(maps, entry);
  int64_t number = found - maps.begin();
  if (found == maps.end()) {
    maps.push_back(entry);
    kernel->setAttr(tile::mapsAttr, ArrayAttr::get(kernel.getContext(), maps));
  }
  return number;
}

} // namespace tessera::gpu
