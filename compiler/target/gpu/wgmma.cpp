#include "compiler/target/gpu/wgmma.h"
#include "compiler/layout/swizzle.h"
#include "compiler/target/gpu/shape.h"
#include <array>

using namespace mlir;

namespace tessera::gpu {

static constexpr std::array rows = {
    WgmmaOp{"f32.f16.f16", f16, f16, 16, true, 8},      WgmmaOp{"f32.bf16.bf16", bf16, bf16, 16, true, 8},
    WgmmaOp{"f32.e4m3.e4m3", e4m3, e4m3, 32, false, 8}, WgmmaOp{"f32.e5m2.e5m2", e5m2, e5m2, 32, false, 8},
    WgmmaOp{"s32.s8.s8", i8, i8, 32, false, 16},        WgmmaOp{"s32.s8.u8", i8, u8, 32, false, 16},
    WgmmaOp{"s32.u8.s8", u8, i8, 32, false, 16},        WgmmaOp{"s32.u8.u8", u8, u8, 32, false, 16},
};

constexpr int64_t narrowestPanel = 32; // bytes that the narrowest swizzle covers

// Whether the operand's rows in shared memory are such as a descriptor tells of, once transposes are taken off.
static bool liesWell(Value operand, int kAxis, bool anyMajor) {
  while (auto trans = operand.getDefiningOp<tile::TransOp>())
    operand = trans.getValue(), kAxis = 1 - kAxis;
  auto type = cast<RankedTensorType>(operand.getType());
  int64_t pitch = type.getDimSize(1) * elementBytes(type);
  return (kAxis == 1 || anyMajor) && type.getDimSize(0) % 8 == 0 && pitch % narrowestPanel == 0;
}

const WgmmaOp *chooseWgmma(const Target &target, tile::DotOp dot, int warps) {
  if (!target.has("wgmma") || warps % 4)
    return nullptr;
  const MmaOp *mma = chooseMma(target, dot);
  auto row = llvm::find_if(rows, [&](const WgmmaOp &r) { return mma && mma->lhs == r.lhs && mma->rhs == r.rhs; });
  if (row == rows.end())
    return nullptr;
  auto lhs = cast<RankedTensorType>(dot.getLhs().getType()), rhs = cast<RankedTensorType>(dot.getRhs().getType());
  // One step of k alone is not worth its fence and wait: products of weights in groups of 32, whose sums are scaled at
  // once, took 10 to 18 % longer in the model.
  bool fits = lhs.getDimSize(0) % (16 * warps) == 0 && lhs.getDimSize(1) % row->k == 0 && lhs.getDimSize(1) > row->k &&
              rhs.getDimSize(1) % row->columnStep == 0 && liesWell(dot.getLhs(), 1, row->anyMajor) &&
              liesWell(dot.getRhs(), 0, row->anyMajor);
  return fits ? &*row : nullptr;
}

tile::DotOp wgmmaReader(Value tile) {
  while (tile.hasOneUse()) {
    Operation *user = *tile.getUsers().begin();
    if (auto dot = dyn_cast<tile::DotOp>(user))
      return isWgmma(dot) ? dot : tile::DotOp();
    if (!isa<tile::TransOp>(user))
      return {};
    tile = user->getResult(0);
  }
  return {};
}

SharedOperand sharedOperand(Value operand) {
  SharedOperand found;
  while (auto trans = operand.getDefiningOp<tile::TransOp>())
    operand = trans.getValue(), found.turned = !found.turned;
  found.load = operand.getDefiningOp<tile::SharedLoadOp>();
  return found;
}

SmallVector<int64_t> panelShape(RankedTensorType tile) {
  int64_t bytes = elementBytes(tile), columns = tile.getShape().back(), row = columns * bytes;
  int64_t rows = tile.getNumElements() / columns, panel = Swizzle::waveBytes;
  while (panel > narrowestPanel && row % panel)
    panel /= 2;
  if (row <= panel)
    return {rows, columns};
  return {row / panel, rows, panel / bytes};
}

} // namespace tessera::gpu
