#include "compiler/target/cpu/lower.h"
#include "compiler/target/cpu/mma.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {
#define GEN_PASS_DEF_TILELOWERCPU
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;

namespace tessera::cpu {

Type Lowering::registerType(Type type) {
  if (type.isIndex())
    return b.getI64Type();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return type;
  int lanes = tile::layoutOf(tensor).lanes();
  return lanes == 1 ? tensor.getElementType() : VectorType::get({lanes}, tensor.getElementType());
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

// Reads dims, pointers and scalars from the argument slots, in the order that base/artifact.h states.
void Lowering::bindArguments(Value args) {
  Location loc = kernel.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  for (BlockArgument argument : kernel.getArguments()) {
    unsigned number = argument.getArgNumber();
    Value slot =
        LLVM::GEPOp::create(b, loc, pointer, b.getI64Type(), args, llvm::ArrayRef<LLVM::GEPArg>{int32_t(number)});
    Type type = argument.getType();
    if (auto view = dyn_cast<tile::ViewType>(type)) {
      registers[argument] = {LLVM::LoadOp::create(b, loc, pointer, slot)};
      for (Attribute extent : kernel.getArgAttrOfType<ArrayAttr>(number, tile::extentsAttr)) {
        auto name = dyn_cast<StringAttr>(extent);
        extents[argument].push_back(name ? dims[name.getValue()] : constantI64(cast<IntegerAttr>(extent).getInt()));
      }
      continue;
    }
    Type loaded = type.isIndex() ? b.getI64Type() : type;
    registers[argument] = {LLVM::LoadOp::create(b, loc, loaded, slot)};
    if (auto name = kernel.getArgAttrOfType<StringAttr>(number, tile::dimAttr))
      dims[name.getValue()] = scalar(argument);
  }
}

// Program number -> origin of its block along each axis; the last axis runs fastest.
LogicalResult Lowering::bindPrograms(Value number) {
  SmallVector<tile::ProgramOp> axes;
  kernel.walk([&](tile::ProgramOp op) { axes.push_back(op); });
  llvm::sort(axes, [](tile::ProgramOp x, tile::ProgramOp y) { return x.getAxis() < y.getAxis(); });
  for (tile::ProgramOp axis : llvm::reverse(axes)) {
    Value coordinate = number;
    if (axis.getAxis() != 0) {
      auto constant = getConstantIntValue(axis.getBound());
      if (!constant && !isa<BlockArgument>(axis.getBound()))
        return axis.emitError("a grid axis must be a size of the kernel or a constant");
      Value bound = constant ? constantI64(*constant) : scalar(axis.getBound());
      Value block = constantI64(axis.getBlock());
      Value count = arith::CeilDivUIOp::create(b, axis.getLoc(), bound, block);
      coordinate = arith::RemUIOp::create(b, axis.getLoc(), number, count);
      number = arith::DivUIOp::create(b, axis.getLoc(), number, count);
    }
    registers[axis.getOrigin()] = {arith::MulIOp::create(b, axis.getLoc(), coordinate, constantI64(axis.getBlock()))};
  }
  return success();
}

LogicalResult Lowering::run() {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Location loc = kernel.getLoc();
  b.setInsertionPoint(kernel);
  auto type = b.getFunctionType({pointer, b.getI64Type(), b.getI64Type()}, {});
  auto entry = func::FuncOp::create(b, loc, kernel.getName(), type);
  Block *block = entry.addEntryBlock();
  b.setInsertionPointToStart(block);
  // An i64 tile has the widest registers: 8 bytes for each 32-bit lane.
  Value bytes = constantI64(2 * target.vectorBytes);
  nothing = LLVM::AllocaOp::create(b, loc, pointer, b.getI8Type(), bytes, target.vectorBytes);
  sink = LLVM::AllocaOp::create(b, loc, pointer, b.getI8Type(), bytes, target.vectorBytes);
  LLVM::MemsetOp::create(b, loc, nothing, arith::ConstantIntOp::create(b, loc, b.getI8Type(), 0), bytes,
                         /*isVolatile=*/false);
  bindArguments(block->getArgument(0));
  auto loop = scf::ForOp::create(b, loc, block->getArgument(1), block->getArgument(2), constantI64(1));
  func::ReturnOp::create(b, loc);
  b.setInsertionPointToStart(loop.getBody());
  if (failed(bindPrograms(loop.getInductionVar())) || failed(lowerBlock(kernel.getBody().front())))
    return failure();
  kernel.erase();
  return success();
}

LogicalResult Lowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(lowerOp(&op)))
      return failure();
  return success();
}

LogicalResult Lowering::lowerOp(Operation *op) {
  auto done = [](auto &&) { return success(); };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::ProgramOp>(done) // bound already
      .Case<arith::ConstantOp>([&](auto x) { return lowerConstant(x), success(); })
      .Case<tile::IotaOp>([&](auto x) { return lowerIota(x), success(); })
      .Case<tile::DotOp>([&](auto x) { return lowerDot(x), success(); })
      .Case<tile::LoadOp>([&](auto x) { return lowerLoad(x), success(); })
      .Case<tile::StoreOp>([&](auto x) { return lowerStore(x), success(); })
      .Case<tile::AtomicAddOp>([&](auto x) { return lowerAtomicAdd(x), success(); })
      .Case<tile::BroadcastOp>([&](auto x) { return lowerBroadcast(x), success(); })
      .Case<tile::ReshapeOp>([&](auto x) { return lowerReshape(x), success(); })
      .Case<tile::TransOp>([&](auto x) { return lowerTrans(x), success(); })
      .Case<tile::ConvertOp>([&](auto x) { return lowerConvert(x), success(); })
      .Case<tile::ReduceOp>([&](auto x) { return lowerReduce(x), success(); })
      .Case<tile::ScanOp>([&](auto x) { return lowerScan(x), success(); })
      .Case<tile::ArgMaxOp>([&](auto x) { return lowerArgMax(x), success(); })
      .Case<scf::ForOp>([&](auto x) { return lowerFor(x); })
      .Case<scf::IfOp>([&](auto x) { return lowerIf(x); })
      .Case<tile::SplatOp>([&](tile::SplatOp x) {
        Value value = splat(scalar(x.getValue()), registerType(x.getType()));
        registers[x] = Registers(registerCount(x.getType()), value);
        return success();
      })
      .Default([&](Operation *) { return lowerElementwise(op); });
}

void Lowering::lowerConstant(arith::ConstantOp op) {
  Type type = registerType(op.getType());
  TypedAttr value;
  if (auto splatted = dyn_cast<SplatElementsAttr>(op.getValue())) {
    auto element = splatted.getSplatValue<TypedAttr>();
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

void Lowering::lowerIota(tile::IotaOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = tile::layoutOf(type);
  Type each = registerType(type);
  Value origin = arith::TruncIOp::create(b, op.getLoc(), b.getI32Type(), scalar(op.getOrigin()));
  Registers out;
  for (int64_t r = 0; r < layout.registers(); ++r) {
    SmallVector<int32_t> steps;
    for (int64_t l = 0; l < layout.lanes(); ++l)
      steps.push_back(layout.at(r, l)[0]);
    TypedAttr attr = isa<VectorType>(each) ? TypedAttr(DenseElementsAttr::get(cast<ShapedType>(each), ArrayRef(steps)))
                                           : b.getI32IntegerAttr(steps[0]);
    Value offsets = arith::ConstantOp::create(b, op.getLoc(), attr);
    out.push_back(arith::AddIOp::create(b, op.getLoc(), splat(origin, each), offsets));
  }
  registers[op] = out;
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
    } else {
      OperationState state(op->getLoc(), op->getName().getStringRef(), operands, {type}, op->getAttrs());
      out.push_back(b.create(state)->getResult(0));
    }
  }
  registers[op->getResult(0)] = out;
  return success();
}

LogicalResult Lowering::lowerFor(scf::ForOp op) {
  auto loop = scf::ForOp::create(b, op.getLoc(), scalar(op.getLowerBound()), scalar(op.getUpperBound()),
                                 scalar(op.getStep()), flat(op.getInitArgs()));
  OpBuilder::InsertionGuard guard(b);
  if (loop.getBody()->mightHaveTerminator() && !loop.getBody()->empty())
    b.setInsertionPoint(loop.getBody()->getTerminator());
  else
    b.setInsertionPointToStart(loop.getBody());
  registers[op.getInductionVar()] = {loop.getInductionVar()};
  auto hand = [&](ValueRange tiles, ValueRange lowered) {
    for (Value tile : tiles) {
      int64_t count = registerCount(tile.getType());
      registers[tile] = Registers(lowered.take_front(count));
      lowered = lowered.drop_front(count);
    }
  };
  hand(op.getRegionIterArgs(), loop.getRegionIterArgs());
  if (failed(lowerBlock(*op.getBody())))
    return failure();
  if (op.getNumResults())
    scf::YieldOp::create(b, op.getLoc(), flat(op.getBody()->getTerminator()->getOperands()));
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

// k ascends for every element; neighbours in m and n are independent chains.
void Lowering::lowerDot(tile::DotOp op) {
  const MmaOp &mma = *chooseMma(target, op);
  Registers acc = regs(op.getAcc());
  op.emitRemark() << "dot: " << acc.size() << " accumulators of " << registerType(op.getType()) << ", "
                  << StringRef(mma.name.data(), mma.name.size()) << " over " << mma.depth << " k a step";
  const Registers &lhs = regs(op.getLhs()), &rhs = regs(op.getRhs());
  auto rhsReps = tile::layoutOf(cast<RankedTensorType>(op.getRhs().getType())).rep;
  int64_t rows = cast<RankedTensorType>(op.getAcc().getType()).getDimSize(0), steps = rhsReps[0], columns = rhsReps[1];
  for (int64_t k = 0; k < steps; ++k)
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < columns; ++n) {
        Value &sum = acc[m * columns + n];
        sum = emitMma(b, op.getLoc(), mma, lhs[m * steps + k], rhs[k * columns + n], sum);
      }
  registers[op] = acc;
}

} // namespace tessera::cpu

namespace {

struct LowerCpu : tessera::impl::TileLowerCpuBase<LowerCpu> {
  using Base::Base;
  void runOnOperation() override {
    auto row = tessera::findTarget(std::string(target));
    if (!row) {
      getOperation().emitError(row.error().message);
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> kernels;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(tessera::tile::kernelAttr))
        kernels.push_back(function);
    for (func::FuncOp kernel : kernels)
      if (failed(tessera::cpu::Lowering(kernel, **row).run()))
        return signalPassFailure();
  }
};

} // namespace
