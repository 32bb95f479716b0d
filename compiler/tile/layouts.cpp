#include "compiler/tile/layouts.h"

using namespace mlir;

namespace tessera::tile {

static std::vector<Coordinate> bases(ArrayRef<int64_t> flat, size_t rank) {
  std::vector<Coordinate> out;
  for (size_t i = 0; rank && i + rank <= flat.size(); i += rank)
    out.emplace_back(flat.begin() + i, flat.begin() + i + rank);
  return out;
}

static SmallVector<int64_t> flatten(const std::vector<Coordinate> &bases) {
  SmallVector<int64_t> flat;
  for (const Coordinate &basis : bases)
    flat.append(basis.begin(), basis.end());
  return flat;
}

bool hasLayout(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa_and_nonnull<LayoutAttr>(tensor.getEncoding());
}

Layout layoutOf(RankedTensorType type) {
  auto attr = cast<LayoutAttr>(type.getEncoding());
  Layout out;
  out.rep.assign(attr.getRep().begin(), attr.getRep().end());
  out.lane = bases(attr.getLane(), out.rep.size());
  out.reg = bases(attr.getReg(), out.rep.size());
  out.warp = bases(attr.getWarp(), out.rep.size());
  return out;
}

RankedTensorType withLayout(RankedTensorType type, const Layout &layout) {
  auto attr =
      LayoutAttr::get(type.getContext(), flatten(layout.lane), flatten(layout.reg), layout.rep, flatten(layout.warp));
  return RankedTensorType::get(type.getShape(), type.getElementType(), attr);
}

} // namespace tessera::tile
