#include "compiler/lower/lowering.h"
#include "compiler/lower/unread.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tessera {

Type heldType(Type element) {
  return isa<Float8E4M3FNType, Float8E5M2Type>(element) ? IntegerType::get(element.getContext(), 8) : element;
}

// The register's type with 8-bit floats in it, as a conversion sees it.
static Type asFloat8(Type held, Type element) {
  auto vector = dyn_cast<VectorType>(held);
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

Value combine(OpBuilder &b, Location loc, tile::ReduceKind kind, Value x, Value y) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(x.getType()));
  if (kind == tile::ReduceKind::sum)
    return isFloat ? arith::AddFOp::create(b, loc, x, y).getResult() : arith::AddIOp::create(b, loc, x, y).getResult();
  if (!isFloat)
    return arith::MaxSIOp::create(b, loc, x, y);
  Value first = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, loc, first, x, y);
}

SmallVector<SmallVector<int64_t>> groupsAlong(const Layout &layout, int axis, const Layout &reduced) {
  SmallVector<SmallVector<int64_t>> out(reduced.registers());
  std::vector<int64_t> inverse = reduced.inverse();
  Coordinate shape = reduced.shape();
  for (int64_t r = 0; r < layout.registers(); ++r) {
    Coordinate at = layout.at(r, 0);
    at[axis] = 0;
    out[inverse[elementNumber(at, shape)] / reduced.threads()].push_back(r);
  }
  return out;
}

int64_t Lowering::registerCount(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tile::layoutOf(tensor).registers() : 1;
}

Registers Lowering::flat(ValueRange values) {
  Registers all;
  for (Value value : values)
    llvm::append_range(all, regs(value));
  return all;
}

Value Lowering::constantI64(int64_t value) {
  return arith::ConstantIntOp::create(b, b.getUnknownLoc(), b.getI64Type(), value);
}

Value Lowering::splat(Value scalar, Type type) {
  return isa<VectorType>(type) ? vector::BroadcastOp::create(b, scalar.getLoc(), type, scalar).getResult() : scalar;
}

void Lowering::bindArgument(BlockArgument argument, Value value) {
  unsigned number = argument.getArgNumber();
  registers[argument] = {value};
  if (isa<tile::ViewType>(argument.getType()))
    for (Attribute extent : kernel.getArgAttrOfType<ArrayAttr>(number, tile::extentsAttr)) {
      auto name = dyn_cast<StringAttr>(extent);
      extents[argument].push_back(name ? dims[name.getValue()] : constantI64(cast<IntegerAttr>(extent).getInt()));
    }
  if (auto name = kernel.getArgAttrOfType<StringAttr>(number, tile::dimAttr))
    dims[name.getValue()] = value;
}

LogicalResult Lowering::gridAxes(SmallVectorImpl<std::pair<tile::ProgramOp, Value>> &axes) {
  SmallVector<tile::ProgramOp> ops;
  kernel.walk([&](tile::ProgramOp op) { ops.push_back(op); });
  llvm::sort(ops, [](tile::ProgramOp x, tile::ProgramOp y) { return x.getAxis() < y.getAxis(); });
  for (tile::ProgramOp axis : ops) {
    auto constant = getConstantIntValue(axis.getBound());
    bool argument = isa<BlockArgument>(axis.getBound());
    if (!constant && !argument && axis.getAxis() != 0)
      return axis.emitError("a grid axis must be a size of the kernel or a constant");
    // The slowest axis may have a computed bound: only the launch divides by it.
    axes.push_back({axis, constant ? constantI64(*constant) : argument ? scalar(axis.getBound()) : Value()});
  }
  return success();
}

LogicalResult Lowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(lowerOp(&op)))
      return failure();
  return success();
}

LogicalResult Lowering::lowerOp(Operation *op) {
  located.line = op->getLoc();
  auto done = [](auto &&) { return success(); };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::ProgramOp>(done) // bound already
      .Case<arith::ConstantOp>([&](auto x) { return lowerConstant(x), success(); })
      .Case<tile::BroadcastOp>([&](auto x) { return lowerBroadcast(x), success(); })
      .Case<tile::ReshapeOp>([&](auto x) { return lowerReshape(x), success(); })
      .Case<tile::TransOp>([&](auto x) { return lowerTrans(x), success(); })
      .Case<tile::ConvertOp>([&](auto x) { return lowerConvert(x), success(); })
      .Case<scf::ForOp>([&](auto x) { return lowerFor(x); })
      .Case<scf::IfOp>([&](auto x) { return lowerIf(x); })
      .Case<tile::SplatOp>([&](tile::SplatOp x) {
        Value value = splat(scalar(x.getValue()), registerType(x.getType()));
        registers[x] = Registers(registerCount(x.getType()), value);
        return success();
      })
      .Default(
          [&](Operation *) { return isa<tile::TileDialect>(op->getDialect()) ? lowerTile(op) : lowerElementwise(op); });
}

void Lowering::lowerConstant(arith::ConstantOp op) {
  Type type = registerType(op.getType());
  if (op->hasAttr(unreadAttr)) {
    registers[op] = Registers(registerCount(op.getType()), LLVM::UndefOp::create(b, op.getLoc(), type));
    return;
  }
  TypedAttr value;
  if (auto splatted = dyn_cast<SplatElementsAttr>(op.getValue())) {
    auto element = splatted.getSplatValue<TypedAttr>();
    if (heldType(element.getType()) != element.getType())
      element = IntegerAttr::get(heldType(element.getType()), cast<FloatAttr>(element).getValue().bitcastToAPInt());
    value =
        isa<VectorType>(type) ? TypedAttr(DenseElementsAttr::get(cast<ShapedType>(type), Attribute(element))) : element;
  } else if (op.getType().isIndex()) {
    value = b.getI64IntegerAttr(cast<IntegerAttr>(op.getValue()).getInt());
  } else {
    value = op.getValue();
  }
  Value constant = arith::ConstantOp::create(b, op.getLoc(), value);
  registers[op] = Registers(registerCount(op.getType()), constant);
}

// Positions are i64 here: index casts become integer casts.
static Value castIndex(OpBuilder &b, Location loc, Value from, Type to, bool isSigned) {
  unsigned have = getElementTypeOrSelf(from).getIntOrFloatBitWidth(),
           want = getElementTypeOrSelf(to).getIntOrFloatBitWidth();
  if (have == want)
    return from;
  if (have > want)
    return arith::TruncIOp::create(b, loc, to, from);
  return isSigned ? arith::ExtSIOp::create(b, loc, to, from).getResult()
                  : arith::ExtUIOp::create(b, loc, to, from).getResult();
}

// One operation a register. Operands agree in layout (tile-verify-layouts), so registers pair up by number.
LogicalResult Lowering::lowerElementwise(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0)
    return op->emitOpError("has no lowering to the CPU");
  Type type = registerType(op->getResult(0).getType());
  int64_t count = registerCount(op->getResult(0).getType());
  Registers out;
  for (int64_t r = 0; r < count; ++r) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      Registers &have = regs(operand);
      operands.push_back(have.size() == 1 && count > 1 ? splat(have[0], type) : have[r]);
    }
    // arith.maxnumf leaves NaN to libm's rules, which cost three instructions; ours is the machine's `a > b ? a : b`.
    if (isa<arith::MaxNumFOp, arith::MinNumFOp>(op)) {
      auto predicate = isa<arith::MaxNumFOp>(op) ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
      Value first = arith::CmpFOp::create(b, op->getLoc(), predicate, operands[0], operands[1]);
      out.push_back(arith::SelectOp::create(b, op->getLoc(), first, operands[0], operands[1]));
    } else if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
      out.push_back(castIndex(b, op->getLoc(), operands[0], type, isa<arith::IndexCastOp>(op)));
    } else if (Type narrow = getElementTypeOrSelf(op->getOperand(0));
               isa<arith::ExtFOp>(op) && heldType(narrow) != narrow) {
      Type floats = asFloat8(operands[0].getType(), narrow);
      Value value = arith::BitcastOp::create(b, op->getLoc(), floats, operands[0]);
      out.push_back(arith::ExtFOp::create(b, op->getLoc(), type, value));
    } else if (Type narrow = getElementTypeOrSelf(op->getResult(0));
               isa<arith::TruncFOp>(op) && heldType(narrow) != narrow) {
      Value value = arith::TruncFOp::create(b, op->getLoc(), asFloat8(type, narrow), operands[0]);
      out.push_back(arith::BitcastOp::create(b, op->getLoc(), type, value));
    } else {
      OperationState state(op->getLoc(), op->getName().getStringRef(), operands, {type}, op->getAttrs());
      out.push_back(b.create(state)->getResult(0));
    }
  }
  registers[op->getResult(0)] = out;
  return success();
}

LogicalResult Lowering::lowerFor(scf::ForOp op) {
  SmallVector<size_t> counts; // of values, a tile
  auto carried = [&](ValueRange tiles) {
    Registers all;
    counts.clear();
    for (Value tile : tiles) {
      llvm::append_range(all, carriedOf(tile));
      counts.push_back(all.size());
    }
    return all;
  };
  auto loop = scf::ForOp::create(b, op.getLoc(), scalar(op.getLowerBound()), scalar(op.getUpperBound()),
                                 scalar(op.getStep()), carried(op.getInitArgs()));
  loop->setDiscardableAttrs(op->getDiscardableAttrDictionary()); // what a target says of the loop to its code generator
  OpBuilder::InsertionGuard guard(b);
  if (loop.getBody()->mightHaveTerminator() && !loop.getBody()->empty())
    b.setInsertionPoint(loop.getBody()->getTerminator());
  else
    b.setInsertionPointToStart(loop.getBody());
  registers[op.getInductionVar()] = {loop.getInductionVar()};
  auto hand = [&](ValueRange tiles, ValueRange lowered) {
    size_t begin = 0;
    for (auto [tile, end] : llvm::zip(tiles, counts)) {
      registers[tile] = heldOf(tile.getType(), lowered.slice(begin, end - begin));
      begin = end;
    }
  };
  hand(op.getRegionIterArgs(), loop.getRegionIterArgs());
  if (failed(lowerBlock(*op.getBody())))
    return failure();
  if (op.getNumResults())
    scf::YieldOp::create(b, op.getLoc(), carried(op.getBody()->getTerminator()->getOperands()));
  b.setInsertionPointAfter(loop);
  hand(op.getResults(), loop.getResults());
  return success();
}

LogicalResult Lowering::lowerIf(scf::IfOp op) {
  if (op.getNumResults())
    return op.emitOpError("with results has no lowering to the CPU");
  auto branch = scf::IfOp::create(b, op.getLoc(), scalar(op.getCondition()), !op.getElseRegion().empty());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  if (failed(lowerBlock(*op.thenBlock())))
    return failure();
  if (op.getElseRegion().empty())
    return success();
  b.setInsertionPoint(branch.elseBlock()->getTerminator());
  return lowerBlock(*op.elseBlock());
}

void Lowering::lowerBroadcast(tile::BroadcastOp op) {
  auto shape = cast<RankedTensorType>(op.getValue().getType()).getShape();
  lowerMove(op.getValue(), op.getResult(), [&](Coordinate at) {
    at.erase(at.begin(), at.end() - shape.size());
    for (size_t d = 0; d < shape.size(); ++d)
      at[d] = shape[d] == 1 ? 0 : at[d];
    return at;
  });
}

void Lowering::lowerReshape(tile::ReshapeOp op) {
  auto from = cast<RankedTensorType>(op.getValue().getType()).getShape(),
       to = cast<RankedTensorType>(op.getResult().getType()).getShape();
  lowerMove(op.getValue(), op.getResult(), [&](Coordinate at) {
    int64_t number = elementNumber(at, {to.data(), to.size()});
    Coordinate out(from.size());
    for (int d = int(from.size()) - 1; d >= 0; --d) {
      out[d] = number % from[d];
      number /= from[d];
    }
    return out;
  });
}

void Lowering::lowerTrans(tile::TransOp op) {
  lowerMove(op.getValue(), op.getResult(), [](Coordinate at) { return Coordinate{at[1], at[0]}; });
}

void Lowering::lowerConvert(tile::ConvertOp op) {
  lowerMove(op.getValue(), op.getResult(), [](Coordinate at) { return at; });
}

} // namespace tessera
