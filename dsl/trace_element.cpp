// Element-wise operations of a trace as arith and math operations.
#include "dsl/trace_parts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace tessera::dsl {
using namespace mlir;
namespace ar = mlir::arith;

static ar::CmpFPredicate floatPredicate(Element op) {
  switch (op) {
  case Element::eq:
    return ar::CmpFPredicate::OEQ;
  case Element::ne:
    return ar::CmpFPredicate::UNE;
  case Element::lt:
    return ar::CmpFPredicate::OLT;
  case Element::le:
    return ar::CmpFPredicate::OLE;
  case Element::gt:
    return ar::CmpFPredicate::OGT;
  default:
    return ar::CmpFPredicate::OGE;
  }
}

static ar::CmpIPredicate integerPredicate(Element op, bool isSigned) {
  using P = ar::CmpIPredicate;
  switch (op) {
  case Element::eq:
    return P::eq;
  case Element::ne:
    return P::ne;
  case Element::lt:
    return isSigned ? P::slt : P::ult;
  case Element::le:
    return isSigned ? P::sle : P::ule;
  case Element::gt:
    return isSigned ? P::sgt : P::ugt;
  default:
    return isSigned ? P::sge : P::uge;
  }
}

bool isSigned(DType dtype) { return dtype == i8 || dtype == i32 || dtype == i64; }

static Value floatElement(OpBuilder &b, Location at, Element op, ArrayRef<Value> v) {
  switch (op) {
  case Element::add:
    return ar::AddFOp::create(b, at, v[0], v[1]);
  case Element::sub:
    return ar::SubFOp::create(b, at, v[0], v[1]);
  case Element::mul:
    return ar::MulFOp::create(b, at, v[0], v[1]);
  case Element::div:
    return ar::DivFOp::create(b, at, v[0], v[1]);
  case Element::min:
    return ar::MinNumFOp::create(b, at, v[0], v[1]);
  case Element::max:
    return ar::MaxNumFOp::create(b, at, v[0], v[1]);
  case Element::fma:
    return math::FmaOp::create(b, at, v[0], v[1], v[2]);
  case Element::exp2:
    return math::Exp2Op::create(b, at, v[0]);
  case Element::log2:
    return math::Log2Op::create(b, at, v[0]);
  case Element::rsqrt:
    return math::RsqrtOp::create(b, at, v[0]);
  case Element::sqrt:
    return math::SqrtOp::create(b, at, v[0]);
  case Element::tanh:
    return math::TanhOp::create(b, at, v[0]);
  case Element::sin:
    return math::SinOp::create(b, at, v[0]);
  case Element::cos:
    return math::CosOp::create(b, at, v[0]);
  case Element::floor:
    return math::FloorOp::create(b, at, v[0]);
  case Element::abs:
    return math::AbsFOp::create(b, at, v[0]);
  case Element::neg:
    return ar::NegFOp::create(b, at, v[0]);
  default:
    return ar::CmpFOp::create(b, at, floatPredicate(op), v[0], v[1]);
  }
}

static Value integerElement(OpBuilder &b, Location at, Element op, bool isSigned, ArrayRef<Value> v) {
  switch (op) {
  case Element::add:
    return ar::AddIOp::create(b, at, v[0], v[1]);
  case Element::sub:
    return ar::SubIOp::create(b, at, v[0], v[1]);
  case Element::mul:
    return ar::MulIOp::create(b, at, v[0], v[1]);
  case Element::div:
    return isSigned ? Value(ar::DivSIOp::create(b, at, v[0], v[1])) : ar::DivUIOp::create(b, at, v[0], v[1]);
  case Element::rem:
    return isSigned ? Value(ar::RemSIOp::create(b, at, v[0], v[1])) : ar::RemUIOp::create(b, at, v[0], v[1]);
  case Element::min:
    return isSigned ? Value(ar::MinSIOp::create(b, at, v[0], v[1])) : ar::MinUIOp::create(b, at, v[0], v[1]);
  case Element::max:
    return isSigned ? Value(ar::MaxSIOp::create(b, at, v[0], v[1])) : ar::MaxUIOp::create(b, at, v[0], v[1]);
  case Element::bitAnd:
    return ar::AndIOp::create(b, at, v[0], v[1]);
  case Element::bitOr:
    return ar::OrIOp::create(b, at, v[0], v[1]);
  case Element::bitXor:
    return ar::XOrIOp::create(b, at, v[0], v[1]);
  case Element::shl:
    return ar::ShLIOp::create(b, at, v[0], v[1]);
  case Element::shr:
    return isSigned ? Value(ar::ShRSIOp::create(b, at, v[0], v[1])) : ar::ShRUIOp::create(b, at, v[0], v[1]);
  case Element::abs:
    return math::AbsIOp::create(b, at, v[0]);
  default:
    return ar::CmpIOp::create(b, at, integerPredicate(op, isSigned), v[0], v[1]);
  }
}

Handle emitElement(OpBuilder &b, Location at, Element op, DType operands, std::span<const Handle> handles) {
  SmallVector<Value> v;
  for (Handle handle : handles)
    v.push_back(Value::getFromOpaquePointer(handle));
  Value out = op == Element::select    ? Value(ar::SelectOp::create(b, at, v[0], v[1], v[2]))
              : info(operands).isFloat ? floatElement(b, at, op, v)
                                       : integerElement(b, at, op, isSigned(operands), v);
  return out.getAsOpaquePointer();
}

} // namespace tessera::dsl
