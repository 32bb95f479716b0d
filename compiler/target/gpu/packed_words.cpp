#include "compiler/target/gpu/packed_words.h"
#include "compiler/tile/access.h"
#include "compiler/tile/layouts.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace tessera::gpu {

// Visits what the dot's right operand is made of element by element, up to the loads.
static void walkBack(tile::DotOp dot, llvm::function_ref<void(Operation *)> visit) {
  SmallVector<Value> open{dot.getRhs()};
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    if (!op || !seen.insert(op).second)
      continue;
    visit(op);
    if (isa<tile::TransOp>(op) || op->hasTrait<OpTrait::Elementwise>())
      llvm::append_range(open, op->getOperands());
  }
}

tile::LoadOp codesBehind(tile::DotOp dot) {
  tile::LoadOp codes;
  walkBack(dot, [&](Operation *op) {
    auto load = dyn_cast<tile::LoadOp>(op);
    const PackedFormat *format = load ? tile::packedFormat(load.getView().getType()) : nullptr;
    if (!codes && format && !format->isValues() && load.getComponent() == tile::Component::codes && !load.getMask())
      codes = load;
  });
  return codes;
}

int64_t workOnCodes(tile::DotOp dot) {
  int64_t work = 2 * (codePlanes(*tile::packedFormat(codesBehind(dot).getView().getType())).count - 1);
  walkBack(dot, [&](Operation *op) {
    if (op->hasTrait<OpTrait::Elementwise>())
      work += getElementTypeOrSelf(op->getResult(0)).getIntOrFloatBitWidth() / 16;
  });
  return work;
}

// The layout of a plane's words: bits along k inside a word are no bits of it. Rows come first in the registers, since
// they lie side by side.
static Layout layoutOfWords(const Layout &codes, int64_t columns) {
  Layout out = codes;
  auto narrow = [&](std::vector<Coordinate> &bases) {
    for (Coordinate &basis : bases)
      basis[1] /= columns;
  };
  narrow(out.lane), narrow(out.warp), narrow(out.reg);
  std::erase_if(out.reg, [](const Coordinate &basis) { return !basis[0] && !basis[1]; });
  llvm::stable_sort(out.reg, [](const Coordinate &x, const Coordinate &y) { return x[0] && !y[0]; });
  return out;
}

void loadWords(tile::LoadOp codes) {
  auto type = cast<RankedTensorType>(codes.getType());
  Layout layout = tile::layoutOf(type);
  const PackedFormat &format = *tile::packedFormat(codes.getView().getType());
  auto packed = cast<tile::PackedType>(codes.getView().getType().getElementType());
  CodePlanes planes = codePlanes(format);
  bool whole = layout.reg.size() >= 2 && layout.reg[0] == Coordinate{0, 1} && layout.reg[1] == Coordinate{0, 2};
  for (const CodePlane &plane : planes) // no word lies in two blocks of the layout
    whole &= layout.block()[1] % (32 / plane.bits) == 0;
  if (!whole)
    return;
  OpBuilder b(codes);
  SmallVector<Value> words;
  for (auto [number, plane] : llvm::enumerate(planes)) {
    int64_t columns = 32 / plane.bits;
    auto wordsType =
        tile::withLayout(RankedTensorType::get({type.getDimSize(0), type.getDimSize(1) / columns}, b.getI32Type()),
                         layoutOfWords(layout, columns));
    auto load = cast<tile::LoadOp>(b.clone(*codes));
    load.setComponent(number ? tile::Component::highWords : tile::Component::words);
    load.getResult().setType(wordsType);
    words.push_back(load);
  }
  Value unpacked = tile::UnpackOp::create(b, codes.getLoc(), type, words[0], words.size() > 1 ? words[1] : Value(),
                                          packed.getFormat());
  codes.getResult().replaceAllUsesWith(unpacked);
  codes.erase();
}

} // namespace tessera::gpu
