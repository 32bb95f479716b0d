#include "compiler/target/cpu/mma.h"
#include "compiler/layout/algebra.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <array>

using namespace mlir;

namespace tessera::cpu {

// Best first. vpdpbusd: Intel SDM volume 2, VPDPBUSD (u8 x s8, no saturation of the 4-product sum). pmaddwd: PMADDWD,
// exact for products of sign- or zero-extended bytes. vdpbf16ps: VDPBF16PS, two products a lane, subnormals taken as 0.
static constexpr std::array<MmaOp, 9> rows = {{
    {"fma", f32, f32, 1, ""},
    {"vdpbf16ps", bf16, bf16, 2, "avx512bf16"},
    {"mul+add", i32, i32, 1, ""},
    {"vpdpbusd", i8, u8, 4, "vnni"},
    {"vpdpbusd", u8, i8, 4, "vnni"},
    {"pmaddwd", i8, u8, 4, ""},
    {"pmaddwd", u8, i8, 4, ""},
    {"pmaddwd", i8, i8, 4, ""},
    {"pmaddwd", u8, u8, 4, ""},
}};

static std::optional<DType> operandType(Type element, bool isUnsigned) {
  if (element.isF32())
    return f32;
  if (element.isBF16())
    return bf16;
  if (element.isInteger(32))
    return i32;
  if (element.isInteger(8))
    return isUnsigned ? u8 : i8;
  return std::nullopt;
}

const MmaOp *chooseMma(const Target &target, tile::DotOp dot) {
  auto lhs = cast<RankedTensorType>(dot.getLhs().getType()), rhs = cast<RankedTensorType>(dot.getRhs().getType());
  auto lhsType = operandType(lhs.getElementType(), dot.getLhsUnsigned()),
       rhsType = operandType(rhs.getElementType(), dot.getRhsUnsigned());
  for (const MmaOp &row : rows) {
    bool fits = row.depth == 1 || (lhs.getDimSize(1) % row.depth == 0 && rhs.getDimSize(1) % lanes(target) == 0);
    if (fits && row.lhs == lhsType && row.rhs == rhsType && target.features.find(row.needs) != std::string_view::npos)
      return &row;
  }
  return nullptr;
}

Layout lhsLayout(const MmaOp &op, ArrayRef<int64_t> shape) {
  Layout out = along(&Layout::lane, 1, op.depth);
  out.rep = {shape[0], shape[1] / op.depth};
  return out;
}

Layout rhsLayout(const MmaOp &op, ArrayRef<int64_t> shape, int lanes) {
  if (op.depth == 1)
    return rowLayout(shape, lanes);
  Layout out = product(along(&Layout::lane, 0, op.depth), along(&Layout::lane, 1, lanes));
  out.rep = {shape[0] / op.depth, shape[1] / lanes};
  return out;
}

// The even or odd bytes of each 16-bit pair, widened to 16 bits in place.
static Value widenPairs(OpBuilder &b, Location loc, Value bytes, bool odd, bool isUnsigned) {
  auto count = cast<VectorType>(bytes.getType()).getNumElements() / 2;
  auto type = VectorType::get({count}, b.getI16Type());
  Value pairs = vector::BitCastOp::create(b, loc, type, bytes);
  Value eight = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, b.getI16IntegerAttr(8)));
  if (!odd)
    pairs = arith::ShLIOp::create(b, loc, pairs, eight);
  return isUnsigned ? arith::ShRUIOp::create(b, loc, pairs, eight).getResult()
                    : arith::ShRSIOp::create(b, loc, pairs, eight).getResult();
}

static Value call(OpBuilder &b, Location loc, StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), operands).getResult(0);
}

Value emitMma(OpBuilder &b, Location loc, const MmaOp &op, Value lhs, Value rhs, Value acc) {
  auto accType = dyn_cast<VectorType>(acc.getType());
  if (op.depth == 1) {
    if (accType)
      lhs = vector::BroadcastOp::create(b, loc, accType, lhs);
    if (op.lhs == f32)
      return math::FmaOp::create(b, loc, lhs, rhs, acc);
    return arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, lhs, rhs), acc);
  }
  // The `depth` values of lhs in every 32-bit lane.
  Value word = vector::BitCastOp::create(b, loc, VectorType::get({1}, b.getI32Type()), lhs);
  word = vector::ExtractOp::create(b, loc, word, int64_t(0));
  Value spread = vector::BroadcastOp::create(b, loc, VectorType::get({accType.getNumElements()}, b.getI32Type()), word);
  unsigned width = accType.getNumElements() * 32;
  if (op.name == "vdpbf16ps") {
    Value bits = vector::BitCastOp::create(b, loc, spread.getType(), rhs);
    Value columns = vector::BitCastOp::create(b, loc, rhs.getType(), bits);
    spread = vector::BitCastOp::create(b, loc, rhs.getType(), spread);
    return call(b, loc, "llvm.x86.avx512bf16.dpbf16ps." + std::to_string(width), accType, {acc, spread, columns});
  }
  spread = vector::BitCastOp::create(b, loc, rhs.getType(), spread);
  if (op.name == "vpdpbusd") {
    std::string name = "llvm.x86.avx512.vpdpbusd." + std::to_string(width);
    Value isU = op.rhs == u8 ? rhs : spread, isS = op.rhs == u8 ? spread : rhs;
    return call(b, loc, name, accType, {acc, isU, isS});
  }
  StringRef name = width == 512   ? "llvm.x86.avx512.pmaddw.d.512"
                   : width == 256 ? "llvm.x86.avx2.pmadd.wd"
                                  : "llvm.x86.sse2.pmadd.wd";
  for (bool odd : {false, true}) {
    Value a = widenPairs(b, loc, spread, odd, op.lhs == u8), c = widenPairs(b, loc, rhs, odd, op.rhs == u8);
    acc = arith::AddIOp::create(b, loc, acc, call(b, loc, name, accType, {a, c}));
  }
  return acc;
}

} // namespace tessera::cpu
