// Codes of packed weights in registers: out of the words that memory holds, four a word, and on to floats. A code under
// the mantissa of a constant is a float already, so a byte permutation and an exact subtraction convert it, two halves
// at a time; what is computed of them in f16 stays in pairs.
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/tile/access.h"

using namespace mlir;

namespace tessera::gpu {

void GpuLowering::lowerUnpack(tile::UnpackOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = tile::layoutOf(type);
  Location loc = op.getLoc();
  StringRef name = op.getFormat();
  const Panel &panel = panelOf(*dtypeByName(std::string_view(name.data(), name.size())));
  Registers codes(size_t(layout.registers() / 4));
  for (PanelArray array : {PanelArray::codes, PanelArray::highCodes}) {
    const PanelPart *part = panel.find(array);
    if (!part)
      continue;
    const PanelPart &plane = *part;
    Value words = array == PanelArray::highCodes ? op.getHigh() : op.getWords();
    Layout held = tile::layoutOf(cast<RankedTensorType>(words.getType()));
    int64_t columns = plane.word().block()[1]; // that share a word
    std::map<Coordinate, int64_t> at;
    for (int64_t r = 0; r < held.registers(); ++r)
      at.emplace(held.at(r, 0), r);
    auto shiftOf = [&](const Coordinate &c) -> int64_t { return plane.shiftOf(0, c[1] % panel.format.block); };
    Value mine = plane.bits < 8 ? walk(stepsOf(layout, shiftOf)) : Value();
    auto apply = [&]<class Op>(Value x, Value y) -> Value { return Op::create(b, loc, x, y); };
    for (auto [i, code] : llvm::enumerate(codes)) {
      Coordinate place = layout.at(int64_t(i) * 4, 0);
      Value word = regs(words)[at.at({place[0], place[1] / columns})];
      if (plane.bits < 8) {
        Value down = apply.operator()<arith::AddIOp>(mine, constantI32(shiftOf(place)));
        word = apply.operator()<arith::ShRUIOp>(word, down);
        word = apply.operator()<arith::AndIOp>(word, constantI32(0x01010101 * ((1 << plane.bits) - 1)));
      }
      if (plane.shift)
        word = apply.operator()<arith::ShLIOp>(word, constantI32(plane.shift));
      code = code ? apply.operator()<arith::OrIOp>(code, word) : word;
    }
  }
  codeWords[op] = codes;
  registers[op] = unpackWords(b, loc, codes, type.getElementType());
}

// Halves 1024 + code have the code as their low byte, floats 2^23 + code likewise.
bool GpuLowering::lowerCodesToFloat(Operation *op) {
  auto found = isa<arith::UIToFPOp>(op) ? codeWords.find(op->getOperand(0)) : codeWords.end();
  Type to = getElementTypeOrSelf(op->getResult(0));
  if (found == codeWords.end() || !(to.isF16() || to.isF32()))
    return false;
  Location loc = op->getLoc();
  const Registers words = found->second;
  auto permuted = [&](Value word, int64_t high, int64_t selector, Type type) -> Value {
    Value bits = intrinsic("llvm.nvvm.prmt", b.getI32Type(), {word, constantI32(high), constantI32(selector)});
    return LLVM::BitcastOp::create(b, loc, type, bits);
  };
  if (to.isF32()) {
    Value start = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0x1p23f));
    Registers out;
    for (Value word : words)
      for (int64_t i = 0; i < 4; ++i)
        out.push_back(arith::SubFOp::create(b, loc, permuted(word, 0x4b000000, 0x7440 | i, b.getF32Type()), start));
    registers[op->getResult(0)] = out;
    return true;
  }
  auto halves = VectorType::get({2}, to);
  Value start = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(halves, b.getF16FloatAttr(1024)));
  Registers above, pairs;
  for (Value word : words)
    for (int64_t selector : {0x4140, 0x4342}) {
      above.push_back(permuted(word, 0x64646464, selector, halves));
      pairs.push_back(arith::SubFOp::create(b, loc, above.back(), start));
    }
  codesAbove[op->getResult(0)] = above;
  setPairs(op->getResult(0), pairs);
  return true;
}

Registers GpuLowering::pairsOf(Value tile) {
  if (auto known = codeHalves.find(tile); known != codeHalves.end())
    return known->second;
  const Registers &elements = regs(tile);
  Location loc = tile.getLoc();
  auto type = VectorType::get({2}, elements.front().getType());
  Registers pairs;
  for (size_t r = 0; r < elements.size(); r += 2) {
    Value pair = LLVM::PoisonOp::create(b, loc, type);
    for (size_t i = 0; i < 2; ++i)
      pair = LLVM::InsertElementOp::create(b, loc, pair, elements[r + i], constantI32(int64_t(i)));
    pairs.push_back(pair);
  }
  return pairs;
}

void GpuLowering::setPairs(Value tile, Registers pairs) {
  Registers elements;
  for (Value pair : pairs)
    for (int64_t i = 0; i < 2; ++i)
      elements.push_back(LLVM::ExtractElementOp::create(b, tile.getLoc(), pair, constantI32(i)));
  registers[tile] = elements;
  codeHalves[tile] = std::move(pairs);
}

// The bias that a code loses, where 1024 and it are one subtraction: a small whole number.
static std::optional<double> biasOf(Value tile) {
  auto constant = tile.getDefiningOp<arith::ConstantOp>();
  auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : SplatElementsAttr();
  if (!splat)
    return std::nullopt;
  double value = splat.getSplatValue<APFloat>().convertToDouble();
  return value >= 0 && value <= 1024 && value == std::floor(value) ? std::optional(value) : std::nullopt;
}

// Sums, differences and products of codes in f16. A product that is only added to is not rounded before.
bool GpuLowering::lowerHalves(Operation *op) {
  if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(op) || !getElementTypeOrSelf(op->getResult(0)).isF16() ||
      llvm::none_of(op->getOperands(), [&](Value operand) { return codeHalves.contains(operand); }))
    return false;
  Location loc = op->getLoc();
  Value left = op->getOperand(0), right = op->getOperand(1);
  Registers out;
  if (auto above = codesAbove.find(left); isa<arith::SubFOp>(op) && above != codesAbove.end())
    if (std::optional<double> bias = biasOf(right)) {
      auto type = cast<VectorType>(above->second.front().getType());
      Value start = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, b.getF16FloatAttr(1024 + *bias)));
      for (Value pair : above->second)
        out.push_back(arith::SubFOp::create(b, loc, pair, start));
      setPairs(op->getResult(0), out);
      return true;
    }
  auto product = isa<arith::AddFOp>(op) && left.hasOneUse() ? left.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  if (product && codeHalves.contains(left)) {
    Registers x = pairsOf(product.getLhs()), y = pairsOf(product.getRhs()), z = pairsOf(right);
    for (auto [xs, ys, zs] : llvm::zip(x, y, z))
      out.push_back(math::FmaOp::create(b, loc, xs, ys, zs));
  } else {
    Registers x = pairsOf(left), y = pairsOf(right);
    for (auto [xs, ys] : llvm::zip(x, y)) {
      OperationState state(loc, op->getName().getStringRef(), {xs, ys}, {xs.getType()}, op->getAttrs());
      out.push_back(b.create(state)->getResult(0));
    }
  }
  setPairs(op->getResult(0), out);
  return true;
}

} // namespace tessera::gpu
