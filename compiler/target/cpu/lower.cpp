#include "compiler/target/cpu/lower.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/cpu/mma.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {
#define GEN_PASS_DEF_TILELOWERCPU
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;

namespace tessera::cpu {

Type CpuLowering::registerType(Type type) {
  if (type.isIndex())
    return b.getI64Type();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return heldType(type);
  int lanes = tile::layoutOf(tensor).lanes();
  Type element = heldType(tensor.getElementType());
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

// Reads dims, pointers and scalars from the argument slots, in the order that base/artifact.h states.
void CpuLowering::bindArguments(Value args) {
  Location loc = kernel.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  for (BlockArgument argument : kernel.getArguments()) {
    Type type = argument.getType();
    Type loaded = isa<tile::ViewType>(type) ? Type(pointer) : type.isIndex() ? b.getI64Type() : type;
    Value slot = LLVM::GEPOp::create(b, loc, pointer, b.getI64Type(), args,
                                     llvm::ArrayRef<LLVM::GEPArg>{int32_t(argument.getArgNumber())});
    bindArgument(argument, LLVM::LoadOp::create(b, loc, loaded, slot));
  }
}

// Program number -> origin of its block along each axis; the last axis runs fastest.
LogicalResult CpuLowering::bindPrograms(Value number) {
  SmallVector<std::pair<tile::ProgramOp, Value>> axes;
  if (failed(gridAxes(axes)))
    return failure();
  for (auto [axis, bound] : llvm::reverse(axes)) {
    Value coordinate = number;
    Value block = constantI64(axis.getBlock());
    if (axis.getAxis() != 0) {
      Value count = arith::CeilDivUIOp::create(b, axis.getLoc(), bound, block);
      coordinate = arith::RemUIOp::create(b, axis.getLoc(), number, count);
      number = arith::DivUIOp::create(b, axis.getLoc(), number, count);
    }
    registers[axis.getOrigin()] = {arith::MulIOp::create(b, axis.getLoc(), coordinate, block)};
  }
  return success();
}

LogicalResult CpuLowering::run() {
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

LogicalResult CpuLowering::lowerTile(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::IotaOp>([&](auto x) { return lowerIota(x), success(); })
      .Case<tile::DotOp>([&](auto x) { return lowerDot(x), success(); })
      .Case<tile::ScratchOp>([&](auto x) { return lowerScratch(x), success(); })
      .Case<tile::LoadOp>([&](auto x) { return lowerLoad(x), success(); })
      .Case<tile::StoreOp>([&](auto x) { return lowerStore(x), success(); })
      .Case<tile::AtomicAddOp>([&](auto x) { return lowerAtomicAdd(x), success(); })
      .Case<tile::ReduceOp>([&](auto x) { return lowerReduce(x), success(); })
      .Case<tile::ScanOp>([&](auto x) { return lowerScan(x), success(); })
      .Case<tile::ArgMaxOp>([&](auto x) { return lowerArgMax(x), success(); })
      .Default([](Operation *other) { return other->emitOpError("has no lowering to the CPU"); });
}

// On the stack, reserved once where the function begins.
void CpuLowering::lowerScratch(tile::ScratchOp op) {
  tile::ViewType view = op.getView().getType();
  int64_t bytes = (view.getElementType().getIntOrFloatBitWidth() + 7) / 8;
  for (int64_t extent : view.getShape()) {
    extents[op].push_back(constantI64(extent));
    bytes *= extent;
  }
  OpBuilder::InsertionGuard restore(b);
  b.setInsertionPointAfter(sink.getDefiningOp());
  registers[op] = {
      LLVM::AllocaOp::create(b, op.getLoc(), sink.getType(), b.getI8Type(), constantI64(bytes), target.vectorBytes)};
}

void CpuLowering::lowerIota(tile::IotaOp op) {
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

namespace {

// Moves what loads an operand's registers, casts included, down to where a dot first uses them. LLVM keeps that order
// well enough that broadcasts do not wait in registers, which the accumulators need. Nothing moves over a write.
class LateLoads {
public:
  explicit LateLoads(OpBuilder &b) : b(b) {
    for (Operation &op : llvm::reverse(llvm::make_range(b.getBlock()->begin(), b.getInsertionPoint())))
      if (!isMemoryEffectFree(&op) && !isa<LLVM::LoadOp, LLVM::Prefetch>(op)) {
        lastWrite = &op;
        break;
      }
  }
  void use(Value value) {
    Operation *op = value.getDefiningOp();
    if (op && value.use_empty() && canMove(op))
      move(op);
  }

private:
  bool canMove(Operation *op) const {
    if (op->getBlock() != b.getBlock() || (lastWrite && !lastWrite->isBeforeInBlock(op)))
      return false;
    if (isa<LLVM::LoadOp>(op))
      return true;
    Operation *source = op->getNumOperands() == 1 ? op->getOperand(0).getDefiningOp() : nullptr;
    return isa<arith::ExtFOp>(op) && source && source->hasOneUse() && canMove(source);
  }
  void move(Operation *op) {
    if (!isa<LLVM::LoadOp>(op))
      move(op->getOperand(0).getDefiningOp());
    op->moveBefore(b.getBlock(), b.getInsertionPoint());
  }

  OpBuilder &b;
  Operation *lastWrite = nullptr;
};

} // namespace

// k ascends for every element; neighbours in m and n are independent chains.
void CpuLowering::lowerDot(tile::DotOp op) {
  const MmaOp &mma = *chooseMma(target, op);
  Registers acc = regs(op.getAcc());
  op.emitRemark() << "dot: " << acc.size() << " accumulators of " << registerType(op.getType()) << ", "
                  << StringRef(mma.name.data(), mma.name.size()) << " over " << mma.depth << " k a step";
  const Registers &lhs = regs(op.getLhs()), &rhs = regs(op.getRhs());
  auto rhsReps = tile::layoutOf(cast<RankedTensorType>(op.getRhs().getType())).rep;
  int64_t rows = cast<RankedTensorType>(op.getAcc().getType()).getDimSize(0), steps = rhsReps[0], columns = rhsReps[1];
  LateLoads late(b);
  for (int64_t k = 0; k < steps; ++k)
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < columns; ++n) {
        late.use(rhs[k * columns + n]);
        late.use(lhs[m * steps + k]);
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
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    for (func::FuncOp kernel : tessera::kernelsOf(getOperation()))
      if (failed(tessera::cpu::CpuLowering(kernel, *chip).run()))
        return signalPassFailure();
  }
};

} // namespace
