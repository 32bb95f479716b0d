// LLVM's strength reduction carries a pointer or computes it anew in each step as it weighs the registers of the whole
// kernel; in a pipelined loop of products, whose registers are full, it may turn either way with anything that changes
// elsewhere. So the pointers of copies are carried here, by additions that LLVM cannot see through.
#include "compiler/target/gpu/carry_pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace tessera::gpu {

static constexpr StringLiteral carriedAttr = "tile.carried";

void markCarried(Value pointer) {
  if (auto gep = pointer.getDefiningOp<LLVM::GEPOp>())
    gep->setAttr(carriedAttr, UnitAttr::get(gep.getContext()));
}

namespace {

class LoopCarrier {
public:
  explicit LoopCarrier(scf::ForOp loop) : loop(loop), b(loop.getContext()), loc(loop.getLoc()) {
    atStart.map(loop.getInductionVar(), loop.getLowerBound());
  }

  void run(ArrayRef<LLVM::GEPOp> marked) {
    b.setInsertionPoint(loop);
    SmallVector<LLVM::GEPOp> carried;
    SmallVector<Value> starts, steps;
    for (LLVM::GEPOp gep : marked) {
      Value step = bytesAStep(gep);
      if (!step)
        continue;
      carried.push_back(gep);
      steps.push_back(step);
      starts.push_back(startOf(gep));
    }
    if (carried.empty())
      return;
    auto yields = [&](OpBuilder &inLoop, Location, ArrayRef<BlockArgument> added) {
      SmallVector<Value> next;
      for (auto [pointer, step] : llvm::zip(added, steps))
        next.push_back(moved(inLoop, pointer, step));
      return next;
    };
    auto made = cast<scf::ForOp>(
        (*loop.replaceWithAdditionalYields(b, starts, /*replaceInitOperandUsesInLoop=*/false, yields)).getOperation());
    for (auto [gep, pointer] : llvm::zip(carried, made.getRegionIterArgs().take_back(carried.size())))
      b.replaceOp(gep, pointer);
  }

private:
  Value moved(OpBuilder &inLoop, Value pointer, Value step) {
    std::optional<int64_t> fixed = constantOf(step);
    std::string by = fixed ? std::to_string(*fixed) : "$2";
    SmallVector<Value> operands = {pointer};
    if (!fixed)
      operands.push_back(step);
    return LLVM::InlineAsmOp::create(inLoop, loc, pointer.getType(), operands, "add.s64 $0, $1, " + by + ";",
                                     fixed ? "=l,l" : "=l,l,l", /*has_side_effects=*/false, /*is_align_stack=*/false,
                                     LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
        .getResult(0);
  }

  // Bytes that the pointer moves in a step of the loop, computed before it; null where that is not always the same.
  Value bytesAStep(LLVM::GEPOp gep) {
    if (gep.getDynamicIndices().size() != 1 || gep.getRawConstantIndices().size() != 1 || !isFixed(gep.getBase()))
      return {};
    std::optional<Value> rise = slope(gep.getDynamicIndices().front());
    if (!rise || !*rise)
      return {};
    int64_t bytes = gep.getElemType().getIntOrFloatBitWidth() / 8;
    Value scale = arith::MulIOp::create(b, loc, loop.getStep(), constant(bytes));
    return arith::MulIOp::create(b, loc, *rise, scale);
  }

  static std::optional<int64_t> constantOf(Value value) {
    if (auto known = getConstantIntValue(value))
      return known;
    auto product = value.getDefiningOp<arith::MulIOp>();
    auto left = product ? constantOf(product.getLhs()) : std::nullopt;
    auto right = left ? constantOf(product.getRhs()) : std::nullopt;
    return right ? std::optional(*left * *right) : std::nullopt;
  }

  Value constant(int64_t value) { return arith::ConstantIntOp::create(b, loc, b.getI64Type(), value); }

  Operation *inside(Value value) {
    Operation *op = value.getDefiningOp();
    return op && op->getBlock() == loop.getBody() && !op->getNumRegions() && isMemoryEffectFree(op) ? op : nullptr;
  }

  // The same in every step.
  bool isFixed(Value value) {
    if (loop.isDefinedOutsideOfLoop(value))
      return true;
    Operation *op = inside(value);
    return op && llvm::all_of(op->getOperands(), [&](Value operand) { return isFixed(operand); });
  }

  // What an i64 grows by where the induction variable grows by one: null for nothing, none where that is not fixed.
  std::optional<Value> slope(Value value) {
    if (value == loop.getInductionVar())
      return constant(1);
    if (isFixed(value))
      return Value();
    Operation *op = inside(value);
    if (!isa_and_nonnull<arith::AddIOp, arith::MulIOp>(op))
      return std::nullopt;
    auto left = slope(op->getOperand(0)), right = slope(op->getOperand(1));
    if (!left || !right)
      return std::nullopt;
    if (isa<arith::AddIOp>(op))
      return !*left ? *right : !*right ? *left : arith::AddIOp::create(b, loc, *left, *right).getResult();
    if (*left && *right)
      return std::nullopt;
    Value factor = startOf(op->getOperand(*left ? 1 : 0));
    return arith::MulIOp::create(b, loc, *left ? *left : *right, factor).getResult();
  }

  // The value in the first step, computed before the loop.
  Value startOf(Value value) {
    if (Value known = atStart.lookupOrNull(value))
      return known;
    if (loop.isDefinedOutsideOfLoop(value))
      return value;
    Operation *op = inside(value);
    for (Value operand : op->getOperands())
      startOf(operand);
    b.clone(*op, atStart);
    return atStart.lookup(value);
  }

  scf::ForOp loop;
  IRRewriter b;
  Location loc;
  IRMapping atStart;
};

// Computes anew, behind a loop, what is made of the thread's and the block's numbers and used behind it.
class Recomputation {
public:
  Recomputation(scf::ForOp loop, bool blocksToo) : loop(loop), b(loop.getContext()), blocksToo(blocksToo) {
    b.setInsertionPointAfter(loop);
  }

  void run() {
    SmallVector<Operation *> after;
    for (Operation *op = loop->getNextNode(); op; op = op->getNextNode())
      op->walk([&](Operation *inner) { after.push_back(inner); });
    for (Operation *op : after)
      for (OpOperand &operand : op->getOpOperands())
        if (isBefore(operand.get()) && reads(operand.get()) == Reads::numbers)
          operand.set(again(operand.get()));
  }

private:
  enum class Reads : uint8_t { nothing, numbers, more };

  // Defined before the loop, in its block or around it.
  bool isBefore(Value value) {
    Operation *op = value.getDefiningOp();
    Operation *there = op ? loop->getBlock()->findAncestorOpInBlock(*op) : nullptr;
    return op && op != loop && (!there || there->isBeforeInBlock(loop));
  }

  // %tid, %ctaid or %nctaid along an axis.
  bool isNumber(Operation *op) {
    auto call = dyn_cast<LLVM::CallIntrinsicOp>(op);
    StringRef name = call ? call.getIntrin() : StringRef();
    return name.consume_front(registerPrefix) && (name.starts_with("tid.") || (blocksToo && name.contains("ctaid.")));
  }

  // What the value is computed from, beside arguments and constants.
  Reads reads(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return isa<func::FuncOp>(cast<BlockArgument>(value).getOwner()->getParentOp()) ? Reads::nothing : Reads::more;
    auto known = known_.find(op);
    if (known != known_.end())
      return known->second;
    Reads all = isNumber(op)                                     ? Reads::numbers
                : op->getNumRegions() || !isMemoryEffectFree(op) ? Reads::more
                                                                 : Reads::nothing;
    if (all == Reads::nothing)
      for (Value operand : op->getOperands())
        all = std::max(all, reads(operand));
    return known_[op] = all;
  }

  Value again(Value value) {
    if (Value made = map.lookupOrNull(value))
      return made;
    if (reads(value) != Reads::numbers)
      return value;
    Operation *op = value.getDefiningOp();
    if (isNumber(op)) { // LLVM would take the first reading instead, but for the side effect
      StringRef name = cast<LLVM::CallIntrinsicOp>(op).getIntrin().drop_front(registerPrefix.size());
      Value made = LLVM::InlineAsmOp::create(b, op->getLoc(), value.getType(), ValueRange(),
                                             ("mov.u32 $0, %" + name + ";").str(), "=r", /*has_side_effects=*/true,
                                             /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
                                             LLVM::AsmDialectAttr(), ArrayAttr())
                       .getResult(0);
      map.map(value, made);
      return made;
    }
    for (Value operand : op->getOperands())
      map.map(operand, again(operand));
    b.clone(*op, map);
    return map.lookup(value);
  }

  static constexpr StringLiteral registerPrefix = "llvm.nvvm.read.ptx.sreg.";
  scf::ForOp loop;
  OpBuilder b;
  bool blocksToo;
  IRMapping map;
  llvm::DenseMap<Operation *, Reads> known_;
};

} // namespace

void carryPointers(func::FuncOp kernel, bool blocksToo) {
  llvm::MapVector<Operation *, SmallVector<LLVM::GEPOp>> byLoop;
  kernel->walk([&](LLVM::GEPOp gep) {
    if (!gep->removeAttr(carriedAttr))
      return;
    if (auto loop = dyn_cast<scf::ForOp>(gep->getParentOp()); loop && loop.getInductionVar().getType().isInteger(64))
      byLoop[loop].push_back(gep);
  });
  for (auto &[loop, marked] : byLoop)
    LoopCarrier(cast<scf::ForOp>(loop)).run(marked);
  // Where a loop's sums, and those of the loops in it, fill the registers, nothing else should wait for its end.
  SmallVector<scf::ForOp> full;
  llvm::DenseMap<Operation *, unsigned> carriedIn;
  kernel->walk([&](scf::ForOp loop) { // inner loops first
    unsigned carried = loop.getNumResults() + carriedIn.lookup(loop);
    if (carried >= 16)
      full.push_back(loop);
    unsigned &around = carriedIn[loop->getParentOp()];
    around = std::max(around, carried);
  });
  for (scf::ForOp loop : full)
    Recomputation(loop, blocksToo).run();
}

} // namespace tessera::gpu
