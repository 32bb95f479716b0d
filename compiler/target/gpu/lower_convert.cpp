// Conversions of elements: between float types, two by one instruction; from bytes to f32 without the slow integer
// conversion.
#include "base/dtype.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include <array>

using namespace mlir;

namespace tessera::gpu {

namespace {

// PTX ISA, "Data Movement and Conversion Instructions: cvt". Narrowing takes two f32, the second one the low element;
// widening gives two f16.
struct PairConversion {
  DType from, to;
  std::string_view intrinsic;
  std::string_view needs; // an ability of Target::gpu
};
constexpr std::array pairs = {
    PairConversion{f32, f16, "llvm.nvvm.ff2f16x2.rn", "cvt_x2"},
    PairConversion{f32, bf16, "llvm.nvvm.ff2bf16x2.rn", "cvt_x2"},
    PairConversion{f32, e4m3, "llvm.nvvm.ff.to.e4m3x2.rn", "fp8"},
    PairConversion{f32, e5m2, "llvm.nvvm.ff.to.e5m2x2.rn", "fp8"},
    PairConversion{e4m3, f32, "llvm.nvvm.e4m3x2.to.f16x2.rn", "fp8"},
    PairConversion{e5m2, f32, "llvm.nvvm.e5m2x2.to.f16x2.rn", "fp8"},
};

bool isOf(Type element, DType dtype) {
  switch (dtype) {
  case f16:
    return element.isF16();
  case bf16:
    return element.isBF16();
  case e4m3:
    return isa<Float8E4M3FNType>(element);
  case e5m2:
    return isa<Float8E5M2Type>(element);
  default:
    return element.isF32();
  }
}

const PairConversion *find(const Target &target, Type from, Type to) {
  for (const PairConversion &row : pairs)
    if (isOf(from, row.from) && isOf(to, row.to) && target.has(row.needs))
      return &row;
  return nullptr;
}

} // namespace

// As the low mantissa bits of 2^23 a byte is a float already: one bit operation and one exact subtraction, at full
// rate, where a conversion has a quarter or an eighth of it (CUDA C++ Programming Guide, "Arithmetic Instructions").
void GpuLowering::lowerByteToFloat(Operation *op) {
  bool isSigned = isa<arith::SIToFPOp>(op);
  Location loc = op->getLoc();
  Value start = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(isSigned ? 0x1p23f + 128 : 0x1p23f));
  Registers out;
  for (Value byte : regs(op->getOperand(0))) {
    Value bits = arith::ExtUIOp::create(b, loc, b.getI32Type(), byte);
    if (isSigned) // -128 becomes 0
      bits = arith::XOrIOp::create(b, loc, bits, constantI32(0x80));
    bits = arith::OrIOp::create(b, loc, bits, constantI32(0x4b000000));
    out.push_back(arith::SubFOp::create(b, loc, arith::BitcastOp::create(b, loc, b.getF32Type(), bits), start));
  }
  registers[op->getResult(0)] = out;
}

// A bf16 is the upper half of its f32: of two in a word one is shifted up and the other cut out, where taking the
// halves out first would cost three operations a pair more.
Registers GpuLowering::widenedBfloats(Location loc, ValueRange pairs) {
  Type f32 = b.getF32Type();
  Registers out;
  for (Value word : packWords(b, loc, pairs)) {
    Value bits = LLVM::BitcastOp::create(b, loc, b.getI32Type(), word);
    Value low = arith::ShLIOp::create(b, loc, bits, constantI32(16));
    Value high = arith::AndIOp::create(b, loc, bits, constantI32(0xffff0000));
    out.push_back(arith::BitcastOp::create(b, loc, f32, low));
    out.push_back(arith::BitcastOp::create(b, loc, f32, high));
  }
  return out;
}

// Registers in pairs: neighbours in a register number are neighbours in a packed word wherever a word is packed.
LogicalResult GpuLowering::lowerElementwise(Operation *op) {
  if (lowerCodesToFloat(op) || lowerHalves(op))
    return success();
  if (isa<arith::UIToFPOp, arith::SIToFPOp>(op) && getElementTypeOrSelf(op->getOperand(0)).isInteger(8) &&
      getElementTypeOrSelf(op->getResult(0)).isF32()) {
    lowerByteToFloat(op);
    return success();
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(op); compare && lowerComparison(compare))
    return success();
  if (!isa<arith::TruncFOp, arith::ExtFOp>(op))
    return Lowering::lowerElementwise(op);
  Type from = getElementTypeOrSelf(op->getOperand(0)), to = getElementTypeOrSelf(op->getResult(0));
  const Registers in = regs(op->getOperand(0));
  if (auto late = lates.find(op->getOperand(0)); late != lates.end()) {
    Late wide = late->second;
    wide.wide = true;
    lates[op->getResult(0)] = wide;
    registers[op->getResult(0)] = Registers(in.size(), Value());
    return success();
  }
  if (from.isBF16() && to.isF32() && in.size() % 2 == 0) {
    registers[op->getResult(0)] = widenedBfloats(op->getLoc(), in);
    return success();
  }
  const PairConversion *row = find(target, from, to);
  if (!row || in.size() % 2)
    return Lowering::lowerElementwise(op);
  Location loc = op->getLoc();
  StringRef name(row->intrinsic.data(), row->intrinsic.size());
  Type held = heldType(to), bytes = VectorType::get({2}, b.getI8Type());
  auto element = [&](Value pair, int64_t i) -> Value {
    return LLVM::ExtractElementOp::create(b, loc, pair, constantI32(i));
  };
  Registers out;
  for (size_t r = 0; r < in.size(); r += 2) {
    if (isa<arith::ExtFOp>(op)) {
      Value word = LLVM::PoisonOp::create(b, loc, bytes);
      for (int64_t i = 0; i < 2; ++i)
        word = LLVM::InsertElementOp::create(b, loc, word, in[r + i], constantI32(i));
      word = LLVM::BitcastOp::create(b, loc, b.getI16Type(), word);
      Value halves = intrinsic(name, VectorType::get({2}, b.getF16Type()), word);
      for (int64_t i = 0; i < 2; ++i)
        out.push_back(arith::ExtFOp::create(b, loc, to, element(halves, i)));
      continue;
    }
    bool isByte = held.isInteger(8);
    Value both = intrinsic(name, isByte ? b.getI16Type() : Type(VectorType::get({2}, held)), {in[r + 1], in[r]});
    if (isByte)
      both = LLVM::BitcastOp::create(b, loc, bytes, both);
    for (int64_t i = 0; i < 2; ++i)
      out.push_back(element(both, i));
  }
  registers[op->getResult(0)] = out;
  return success();
}

} // namespace tessera::gpu
