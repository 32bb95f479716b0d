#include "compiler/target/gpu/packed_words.h"
#include "compiler/layout/algebra.h"
#include "compiler/lower/memory_order.h"
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

int64_t rowsOfWords(tile::DotOp dot) {
  const PanelPart &codes = tile::panelOf(codesBehind(dot).getView().getType())->at(PanelArray::codes);
  return together(along(&Layout::reg, 0, 16 / 4), *divide(codes.order, codes.word()), &Layout::reg);
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
  const Panel &panel = *tile::panelOf(codes.getView().getType());
  auto packed = cast<tile::PackedType>(codes.getView().getType().getElementType());
  int planes = codePlanes(panel.format).count;
  auto columnsOf = [&](int plane) { return tile::partOf(panel, tile::Component::codes, plane).word().block()[1]; };
  bool whole = together(layout, memoryOrder(codes), &Layout::reg) >= 4; // the bytes of a word
  for (int plane = 0; plane < planes; ++plane)                          // no word lies in two blocks of the layout
    whole &= layout.block()[1] % columnsOf(plane) == 0;
  if (!whole)
    return;
  OpBuilder b(codes);
  SmallVector<Value> words;
  for (int plane = 0; plane < planes; ++plane) {
    int64_t columns = columnsOf(plane);
    auto wordsType =
        tile::withLayout(RankedTensorType::get({type.getDimSize(0), type.getDimSize(1) / columns}, b.getI32Type()),
                         layoutOfWords(layout, columns));
    auto load = cast<tile::LoadOp>(b.clone(*codes));
    load.setComponent(plane ? tile::Component::highWords : tile::Component::words);
    load.getResult().setType(wordsType);
    words.push_back(load);
  }
  Value unpacked = tile::UnpackOp::create(b, codes.getLoc(), type, words[0], words.size() > 1 ? words[1] : Value(),
                                          packed.getFormat());
  codes.getResult().replaceAllUsesWith(unpacked);
  codes.erase();
}

} // namespace tessera::gpu
