// Conversions between float types that one instruction makes for two elements.
#include "base/dtype.h"
#include "compiler/target/gpu/lower.h"
#include <array>

using namespace mlir;

namespace tessera::gpu {

namespace {

// PTX ISA, "Data Movement and Conversion Instructions: cvt". Two f32 become one word of two narrow elements, the second
// argument the low one.
struct PairConversion {
  DType to;
  std::string_view intrinsic;
  std::string_view needs; // an ability of Target::gpu
};
constexpr std::array narrowing = {
    PairConversion{f16, "llvm.nvvm.ff2f16x2.rn", "cvt_x2"},
    PairConversion{bf16, "llvm.nvvm.ff2bf16x2.rn", "cvt_x2"},
};

const PairConversion *narrowingTo(const Target &target, Type element) {
  for (const PairConversion &row : narrowing)
    if (((row.to == f16 && element.isF16()) || (row.to == bf16 && element.isBF16())) && target.has(row.needs))
      return &row;
  return nullptr;
}

} // namespace

// Registers in pairs: neighbours in a register number are neighbours in a packed word wherever a word is packed.
LogicalResult GpuLowering::lowerElementwise(Operation *op) {
  auto truncate = dyn_cast<arith::TruncFOp>(op);
  auto tensor = dyn_cast<RankedTensorType>(op->getNumResults() ? op->getResult(0).getType() : Type());
  if (!truncate || !tensor || !getElementTypeOrSelf(truncate.getIn()).isF32())
    return Lowering::lowerElementwise(op);
  const PairConversion *row = narrowingTo(target, tensor.getElementType());
  const Registers in = regs(truncate.getIn());
  if (!row || in.size() % 2)
    return Lowering::lowerElementwise(op);
  Location loc = op->getLoc();
  auto pair = VectorType::get({2}, tensor.getElementType());
  Registers out;
  for (size_t r = 0; r < in.size(); r += 2) {
    Value both = intrinsic({row->intrinsic.data(), row->intrinsic.size()}, pair, {in[r + 1], in[r]});
    for (int64_t i = 0; i < 2; ++i)
      out.push_back(LLVM::ExtractElementOp::create(b, loc, both, constantI32(i)));
  }
  registers[truncate.getResult()] = out;
  return success();
}

} // namespace tessera::gpu
