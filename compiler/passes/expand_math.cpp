#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <numbers>

namespace tessera {
#define GEN_PASS_DEF_EXPANDMATH
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// A short way to write arithmetic on f32 and i32 scalars or vectors of one shape.
struct Writer {
  OpBuilder &b;
  Location loc;
  Type like; // gives the shape

  Type shaped(Type element) const {
    auto vector = dyn_cast<VectorType>(like);
    return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
  }
  Type f() const { return shaped(b.getF32Type()); }
  Type i() const { return shaped(b.getI32Type()); }

  Value constant(Type type, Attribute value) const {
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector, value));
    return arith::ConstantOp::create(b, loc, cast<TypedAttr>(value));
  }
  Value k(double x) const { return constant(f(), b.getF32FloatAttr(float(x))); }
  Value n(int64_t x) const { return constant(i(), b.getI32IntegerAttr(int32_t(x))); }
  Value add(Value x, Value y) const { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return arith::DivFOp::create(b, loc, x, y); }
  Value fma(Value x, Value y, Value z) const { return math::FmaOp::create(b, loc, x, y, z); }
  Value addN(Value x, Value y) const { return arith::AddIOp::create(b, loc, x, y); }
  Value subN(Value x, Value y) const { return arith::SubIOp::create(b, loc, x, y); }
  Value andN(Value x, Value y) const { return arith::AndIOp::create(b, loc, x, y); }
  Value orN(Value x, Value y) const { return arith::OrIOp::create(b, loc, x, y); }
  Value shl(Value x, int by) const { return arith::ShLIOp::create(b, loc, x, n(by)); }
  Value shr(Value x, int by) const { return arith::ShRUIOp::create(b, loc, x, n(by)); }
  Value sar(Value x, int by) const { return arith::ShRSIOp::create(b, loc, x, n(by)); }
  Value bits(Value x) const { return arith::BitcastOp::create(b, loc, i(), x); }
  Value fromBits(Value x) const { return arith::BitcastOp::create(b, loc, f(), x); }
  Value lt(Value x, Value y) const { return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, y); }
  Value eqN(Value x, Value y) const { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y); }
  Value gtN(Value x, Value y) const { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ugt, x, y); }
  Value select(Value c, Value x, Value y) const { return arith::SelectOp::create(b, loc, c, x, y); }
  Value abs(Value x) const { return fromBits(andN(bits(x), n(0x7fffffff))); }
  Value withSignOf(Value x, Value sign) const { return fromBits(orN(bits(x), andN(bits(sign), n(0x80000000)))); }

  // c[0] + x c[1] + x^2 c[2] + ... by Horner's rule.
  Value polynomial(Value x, ArrayRef<double> c) const {
    Value sum = k(c.back());
    for (double next : llvm::reverse(c.drop_back()))
      sum = fma(sum, x, k(next));
    return sum;
  }
  // The nearest integer as float and as i32, for |x| < 2^22: adding 1.5 * 2^23 leaves it in the low mantissa bits.
  std::pair<Value, Value> round(Value x) const {
    Value magic = k(12582912.0), shifted = add(x, magic);
    return {sub(shifted, magic), subN(bits(shifted), bits(magic))};
  }
  Value powerOfTwo(Value exponent) const { return fromBits(shl(addN(exponent, n(127)), 23)); }
};

// 2^f = e^(f ln 2) as a Taylor series to f^7.
std::vector<double> exp2Series() {
  std::vector<double> c{1};
  for (int i = 1; i <= 7; ++i)
    c.push_back(c.back() * std::numbers::ln2 / i);
  return c;
}

// 2^x = 2^n 2^f, |f| <= 1/2: the series' relative error is 6e-9 before rounding. Exactly 0 below
// -151, infinite from 128 on; 2^n in two factors, so that subnormal results come out.
Value exp2(const Writer &w, Value x) {
  Value bounded = w.select(w.lt(x, w.k(-151)), w.k(-151), x);
  bounded = w.select(w.lt(w.k(129), bounded), w.k(129), bounded);
  auto [whole, n] = w.round(bounded);
  Value p = w.polynomial(w.sub(bounded, whole), exp2Series());
  Value half = w.sar(n, 1);
  return w.mul(w.mul(p, w.powerOfTwo(half)), w.powerOfTwo(w.subN(n, half)));
}

static Value maskedCall(const Writer &w, StringRef name, ValueRange before) {
  SmallVector<Value> operands(before);
  auto integer = [&](int bits, int64_t value) {
    return arith::ConstantIntOp::create(w.b, w.loc, w.b.getIntegerType(bits), value);
  };
  operands.append({before[0], integer(16, -1), integer(32, 4)}); // pass-through, all lanes, rounding as MXCSR says
  return LLVM::CallIntrinsicOp::create(w.b, w.loc, w.f(), w.b.getStringAttr(name), operands).getResult(0);
}

// The same bits in half the instructions: AVX-512 has x - round(x) (0 for infinities) and p 2^floor(n) with all its
// overflows and subnormals (Intel SDM volume 2, VREDUCEPS and VSCALEFPS).
Value wideExp2(const Writer &w, Value x) {
  Value nearest = arith::ConstantIntOp::create(w.b, w.loc, w.b.getI32Type(), 0);
  Value rest = maskedCall(w, "llvm.x86.avx512.mask.reduce.ps.512", {x, nearest});
  Value whole = math::RoundEvenOp::create(w.b, w.loc, x);
  return maskedCall(w, "llvm.x86.avx512.mask.scalef.ps.512", {w.polynomial(rest, exp2Series()), whole});
}

// log2(m 2^e) = e + 2/ln2 atanh((m-1)/(m+1)), m in [sqrt(1/2), sqrt(2)): odd series to s^9, |s| < 0.172.
Value log2(const Writer &w, Value x) {
  Value tiny = w.lt(x, w.k(0x1p-126));
  Value scaled = w.select(tiny, w.mul(x, w.k(0x1p23)), x);
  // Subtracting sqrt(1/2)'s bits makes the exponent field count from sqrt(1/2) up.
  Value offset = w.subN(w.bits(scaled), w.n(0x3f3504f3));
  Value exponent = w.sar(offset, 23);
  Value m = w.fromBits(w.addN(w.andN(offset, w.n(0x007fffff)), w.n(0x3f3504f3)));
  Value s = w.div(w.sub(m, w.k(1)), w.add(m, w.k(1))), s2 = w.mul(s, s);
  double unit = 2 / std::numbers::ln2;
  Value series = w.polynomial(s2, {unit, unit / 3, unit / 5, unit / 7, unit / 9});
  Value e = arith::SIToFPOp::create(w.b, w.loc, w.f(), exponent);
  e = w.sub(e, w.select(tiny, w.k(23), w.k(0)));
  Value result = w.fma(s, series, e);
  Value infinity = w.k(INFINITY);
  result = w.select(w.lt(x, infinity), result, x); // infinity and NaN stay
  Value zero = w.k(0);
  result = w.select(w.lt(x, zero), w.k(NAN), result);
  Value isZero = arith::CmpFOp::create(w.b, w.loc, arith::CmpFPredicate::OEQ, x, zero);
  return w.select(isZero, w.k(-INFINITY), result);
}

// x = k pi/2 + r, |r| <= pi/4, pi/2 in three parts (Cody and Waite); good for |x| up to about 1e5.
Value sinOrCos(const Writer &w, Value x, bool cosine) {
  auto [whole, n] = w.round(w.mul(x, w.k(2 / std::numbers::pi)));
  const double halfPi = std::numbers::pi / 2;
  float high = 1.5703125f, middle = float(halfPi - high);
  double low = halfPi - high - middle;
  Value minus = w.sub(w.k(0), whole);
  Value r = w.fma(minus, w.k(high), x);
  r = w.fma(minus, w.k(middle), r);
  r = w.fma(minus, w.k(low), r);
  Value r2 = w.mul(r, r);
  Value sine = w.mul(r, w.polynomial(r2, {1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880}));
  Value cos = w.polynomial(r2, {1, -0.5, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800});
  Value quadrant = cosine ? w.addN(n, w.n(1)) : n;
  Value value = w.select(w.eqN(w.andN(quadrant, w.n(1)), w.n(0)), sine, cos);
  Value sign = w.shl(w.andN(quadrant, w.n(2)), 30);
  return w.fromBits(arith::XOrIOp::create(w.b, w.loc, w.bits(value), sign));
}

// (1 - t) / (1 + t), t = e^(-2|x|); the odd Taylor series below 1/4, where 1 - t would cancel.
Value tanh(const Writer &w, Value x) {
  Value size = w.abs(x);
  Value t = exp2(w, w.mul(size, w.k(-2 * std::numbers::log2e)));
  Value large = w.withSignOf(w.div(w.sub(w.k(1), t), w.add(w.k(1), t)), x);
  Value x2 = w.mul(x, x);
  Value small = w.mul(x, w.polynomial(x2, {1, -1.0 / 3, 2.0 / 15, -17.0 / 315, 62.0 / 2835}));
  return w.select(w.lt(size, w.k(0.25)), small, large);
}

// f16 bits (low half of an i32) to f32: shift into place and scale, which also normalises subnormals.
Value halfToFloat(const Writer &w, Value half) {
  Value magnitude = w.andN(half, w.n(0x7fff)), sign = w.shl(w.andN(half, w.n(0x8000)), 16);
  Value scaled = w.mul(w.fromBits(w.shl(magnitude, 13)), w.k(0x1p112));
  Value special = w.orN(w.shl(magnitude, 13), w.n(0x7f800000)); // infinity and NaN: the exponent becomes all ones
  Value value = w.select(w.gtN(magnitude, w.n(0x7bff)), special, w.bits(scaled));
  return w.fromBits(w.orN(value, sign));
}

// f32 to f16 bits, to nearest even. Subnormals: adding a float whose ulp is 2^-24 rounds in the right place.
Value floatToHalf(const Writer &w, Value x) {
  Value sign = w.andN(w.shr(w.bits(x), 16), w.n(0x8000)), magnitude = w.andN(w.bits(x), w.n(0x7fffffff));
  Value odd = w.andN(w.shr(magnitude, 13), w.n(1));
  Value normal = w.shr(w.addN(w.addN(magnitude, w.n(0xfff)), odd), 13);
  normal = w.subN(normal, w.n((127 - 15) << 10));
  Value subnormal = w.subN(w.bits(w.add(w.fromBits(magnitude), w.k(0.5))), w.n(0x3f000000));
  Value value = w.select(w.gtN(w.n(113 << 23), magnitude), subnormal, normal);
  value = w.select(w.gtN(magnitude, w.n(0x477fefff)), w.n(0x7c00), value); // rounds past the largest half
  value = w.select(w.gtN(magnitude, w.n(0x7f800000)), w.n(0x7e00), value);
  return w.orN(value, sign);
}

// f32 to bf16 bits, to nearest even.
Value floatToBrain(const Writer &w, Value x) {
  Value bits = w.bits(x), odd = w.andN(w.shr(bits, 16), w.n(1));
  Value rounded = w.shr(w.addN(w.addN(bits, w.n(0x7fff)), odd), 16);
  Value isNan = w.gtN(w.andN(bits, w.n(0x7fffffff)), w.n(0x7f800000));
  return w.select(isNan, w.orN(w.shr(bits, 16), w.n(0x40)), rounded);
}

// An 8-bit float: `mantissa` bits below the exponent, whose bias is `bias`; the largest finite value and a NaN as bits.
struct Float8 {
  int mantissa, bias, largest, nan;
  explicit Float8(Type element) {
    bool e4m3 = isa<Float8E4M3FNType>(element);
    mantissa = e4m3 ? 3 : 2, bias = e4m3 ? 7 : 15, largest = e4m3 ? 0x7e : 0x7b, nan = 0x7f;
  }
};

// Its bits (low byte of an i32) to f32, as for f16; above the largest finite value stand infinity and NaN, or NaN
// alone.
Value float8ToFloat(const Writer &w, Value bits, const Float8 &format) {
  Value magnitude = w.andN(bits, w.n(0x7f)), sign = w.shl(w.andN(bits, w.n(0x80)), 24);
  Value moved = w.shl(magnitude, 23 - format.mantissa);
  Value scaled = w.mul(w.fromBits(moved), w.k(std::ldexp(1.0, 127 - format.bias)));
  Value special = format.mantissa == 3 ? w.n(0x7fc00000) : w.orN(moved, w.n(0x7f800000));
  Value value = w.select(w.gtN(magnitude, w.n(format.largest)), special, w.bits(scaled));
  return w.fromBits(w.orN(value, sign));
}

// f32 to its bits, to nearest even, as for f16; what is too large becomes the largest finite value.
Value floatToFloat8(const Writer &w, Value x, const Float8 &format) {
  Value sign = w.andN(w.shr(w.bits(x), 24), w.n(0x80)), magnitude = w.andN(w.bits(x), w.n(0x7fffffff));
  int drop = 23 - format.mantissa, rebias = 127 - format.bias;
  Value odd = w.andN(w.shr(magnitude, drop), w.n(1));
  Value normal = w.shr(w.addN(w.addN(magnitude, w.n((1 << (drop - 1)) - 1)), odd), drop);
  normal = w.subN(normal, w.n(rebias << format.mantissa));
  // A float whose ulp is the smallest subnormal.
  Value magic = w.k(std::ldexp(1.0, 24 - format.bias - format.mantissa));
  Value subnormal = w.subN(w.bits(w.add(w.fromBits(magnitude), magic)), w.bits(magic));
  Value value = w.select(w.gtN(w.n((rebias + 1) << 23), magnitude), subnormal, normal);
  value = w.select(w.gtN(value, w.n(format.largest)), w.n(format.largest), value);
  value = w.select(w.gtN(magnitude, w.n(0x7f800000)), w.n(format.nan), value);
  return w.orN(value, sign);
}

bool isFloat8(Type element) { return isa<Float8E4M3FNType, Float8E5M2Type>(element); }

bool isHalf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF16() || element.isBF16();
}

struct ExpandMath : tessera::impl::ExpandMathBase<ExpandMath> {
  using Base::Base;
  bool hasHalf = false;     // converts f16 and moves it about as such
  bool hasBrain = false;    // likewise bf16
  bool hasWideMath = false; // AVX-512's scalef and reduce, on vectors of 512 bits
  bool isGpu = false;       // computes with f16 itself, and has approximate functions that are exact enough

  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    isGpu = chip->vendor != Vendor::cpu;
    hasHalf = isGpu || chip->needs.find("f16c") != std::string_view::npos;
    hasBrain = chip->has("bf16");
    hasWideMath = chip->needs.find("avx512dq") != std::string_view::npos;
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      widen(op);
    ops.clear();
    getOperation()->walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      expand(op);
    storeAsBits();
  }

  // What is left of halves that the target cannot convert is moved about, not computed with: as i16, which every target
  // has in registers. (LLVM would carry them as f32 and call a library to narrow them again.)
  void storeAsBits() {
    getOperation()->walk([&](Operation *op) {
      for (Region &region : op->getRegions())
        for (Block &block : region)
          for (Value argument : block.getArguments())
            retype(argument);
      if (auto constant = dyn_cast<arith::ConstantOp>(op); constant && asBits(constant.getType()))
        constant.setValueAttr(bitsOf(constant.getValue()));
      for (Value result : op->getResults())
        retype(result);
      if (auto cast = dyn_cast<arith::BitcastOp>(op); cast && cast.getType() == cast.getIn().getType()) {
        cast.replaceAllUsesWith(cast.getIn());
        cast.erase();
      }
    });
  }
  bool asBits(Type type) const {
    Type element = getElementTypeOrSelf(type);
    return isFloat8(element) || (element.isBF16() && !hasBrain) || (element.isF16() && !hasHalf);
  }
  void retype(Value value) {
    // What only an intrinsic takes is its operand type, made from 32-bit lanes (target/cpu/mma.cpp).
    bool isOperand = value.getDefiningOp<vector::BitCastOp>() && !value.use_empty() &&
                     llvm::all_of(value.getUsers(), [](Operation *user) { return isa<LLVM::CallIntrinsicOp>(user); });
    if (asBits(value.getType()) && !isOperand)
      value.setType(withElement(value.getType(),
                                IntegerType::get(&getContext(), getElementTypeOrSelf(value).getIntOrFloatBitWidth())));
  }
  static TypedAttr bitsOf(TypedAttr value) {
    auto bits = IntegerType::get(value.getContext(), getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth());
    if (auto dense = dyn_cast<DenseFPElementsAttr>(value))
      return dense.mapValues(bits, [](const APFloat &x) { return x.bitcastToAPInt(); });
    return IntegerAttr::get(bits, cast<FloatAttr>(value).getValue().bitcastToAPInt());
  }

  // Arithmetic on halves happens in f32 and is rounded after each operation.
  void widen(Operation *op) {
    bool arithmetic = isa<arith::ArithDialect, math::MathDialect>(op->getDialect());
    if (!arithmetic || isa<arith::ExtFOp, arith::TruncFOp, arith::ConstantOp, arith::SelectOp, arith::BitcastOp>(op))
      return;
    OpBuilder b(op);
    auto isHalf = [&](Type type) { return ::isHalf(type) && !(isGpu && getElementTypeOrSelf(type).isF16()); };
    for (OpOperand &operand : op->getOpOperands())
      if (isHalf(operand.get().getType()))
        operand.set(arith::ExtFOp::create(b, op->getLoc(), withElement(operand.get().getType(), b.getF32Type()),
                                          operand.get()));
    for (Value result : op->getResults())
      if (Type type = result.getType(); isHalf(type)) {
        result.setType(withElement(type, b.getF32Type()));
        b.setInsertionPointAfter(op);
        auto narrow = arith::TruncFOp::create(b, op->getLoc(), type, result);
        result.replaceAllUsesExcept(narrow, narrow);
      }
  }

  bool isWide(Value x) const {
    auto vector = dyn_cast<VectorType>(x.getType());
    return hasWideMath && vector && vector.getNumElements() == 16;
  }

  static Type withElement(Type type, Type element) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
  }

  void expand(Operation *op) {
    if (op->getNumResults() != 1 || op->getNumOperands() < 1)
      return;
    OpBuilder b(op);
    Value x = op->getOperand(0);
    Writer w{b, op->getLoc(), x.getType()};
    bool f32In = getElementTypeOrSelf(x.getType()).isF32();
    if (Value native = isGpu && f32In ? nativeFunction(b, op, x) : Value()) {
      op->getResult(0).replaceAllUsesWith(native);
      op->erase();
      return;
    }
    Value out = llvm::TypeSwitch<Operation *, Value>(op)
                    .Case<math::Exp2Op>([&](auto) {
                      return !f32In ? Value() : isWide(x) ? wideExp2(w, x) : exp2(w, x);
                    })
                    .Case<math::Log2Op>([&](auto) { return f32In ? log2(w, x) : Value(); })
                    .Case<math::SinOp>([&](auto) { return f32In ? sinOrCos(w, x, false) : Value(); })
                    .Case<math::CosOp>([&](auto) { return f32In ? sinOrCos(w, x, true) : Value(); })
                    .Case<math::TanhOp>([&](auto) { return f32In ? tanh(w, x) : Value(); })
                    .Case<math::RsqrtOp>(
                        [&](auto) { return f32In ? w.div(w.k(1), math::SqrtOp::create(b, w.loc, x)) : Value(); })
                    .Case<arith::ExtFOp>([&](auto) { return extend(w, x); })
                    .Case<arith::TruncFOp>([&](auto) { return truncate(w, x, op->getResult(0).getType()); })
                    .Default([](Operation *) { return Value(); });
    if (!out)
      return;
    op->getResult(0).replaceAllUsesWith(out);
    op->erase();
  }

  // ex2.approx.ftz: 2 ulp, and 0 below 2^-126, for which the other form takes three instructions more a value;
  // rsqrt.approx: 2^-22.9 (PTX ISA, "Floating Point Instructions").
  static Value nativeFunction(OpBuilder &b, Operation *op, Value x) {
    StringRef name = isa<math::Exp2Op>(op)    ? "llvm.nvvm.ex2.approx.ftz.f32"
                     : isa<math::RsqrtOp>(op) ? "llvm.nvvm.rsqrt.approx.f"
                                              : "";
    if (name.empty())
      return {};
    return LLVM::CallIntrinsicOp::create(b, op->getLoc(), x.getType(), b.getStringAttr(name), x).getResult(0);
  }

  Value extend(const Writer &w, Value x) {
    if (!asBits(x.getType()))
      return {};
    Type element = getElementTypeOrSelf(x.getType());
    Value bits = arith::BitcastOp::create(w.b, w.loc, w.shaped(w.b.getIntegerType(element.getIntOrFloatBitWidth())), x);
    bits = arith::ExtUIOp::create(w.b, w.loc, w.i(), bits);
    if (isFloat8(element))
      return float8ToFloat(w, bits, Float8(element));
    return element.isF16() ? halfToFloat(w, bits) : w.fromBits(w.shl(bits, 16));
  }

  Value truncate(const Writer &w, Value x, Type to) {
    if (!asBits(to))
      return {};
    Type element = getElementTypeOrSelf(to);
    Value bits = isFloat8(element) ? floatToFloat8(w, x, Float8(element))
                 : element.isF16() ? floatToHalf(w, x)
                                   : floatToBrain(w, x);
    Type stored = w.shaped(w.b.getIntegerType(element.getIntOrFloatBitWidth()));
    Value narrow = arith::TruncIOp::create(w.b, w.loc, stored, bits);
    return arith::BitcastOp::create(w.b, w.loc, to, narrow);
  }
};

} // namespace
