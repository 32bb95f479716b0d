#include "compiler/target/gpu/lower.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/carry_pointers.h"
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/grid.h"
#include "compiler/target/gpu/inline_asm.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/register_limit.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {
#define GEN_PASS_DEF_TILELOWERGPU
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;

namespace tessera::gpu {

Type GpuLowering::registerType(Type type) {
  if (type.isIndex())
    return b.getI64Type();
  auto tensor = dyn_cast<RankedTensorType>(type);
  return heldType(tensor ? tensor.getElementType() : type);
}

Value GpuLowering::constantI32(int64_t value) {
  return arith::ConstantIntOp::create(b, b.getUnknownLoc(), b.getI32Type(), value);
}

Value GpuLowering::widen(Value narrow) { return arith::ExtUIOp::create(b, narrow.getLoc(), b.getI64Type(), narrow); }

Value GpuLowering::intrinsic(StringRef name, Type result, ValueRange operands) {
  Location loc = b.getUnknownLoc();
  if (!result) {
    LLVM::CallIntrinsicOp::create(b, loc, b.getStringAttr(name), operands);
    return {};
  }
  return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), operands).getResult(0);
}

std::vector<int64_t> GpuLowering::stepsOf(const Layout &layout, llvm::function_ref<int64_t(const Coordinate &)> of) {
  std::vector<int64_t> steps;
  for (const auto *bases : {&layout.lane, &layout.warp})
    for (const Coordinate &basis : *bases)
      steps.push_back(of(basis));
  return steps;
}

// Bits whose steps double from one to the next are one field of the thread's number.
Value GpuLowering::walk(ArrayRef<int64_t> steps) {
  Value &known = walks[{steps.begin(), steps.end()}];
  if (known)
    return known;
  OpBuilder::InsertionGuard restore(b);
  b.setInsertionPointToEnd(entryBlock);
  if (!entryBlock->empty() && entryBlock->back().hasTrait<OpTrait::IsTerminator>())
    b.setInsertionPoint(&entryBlock->back());
  b.setInsertionPointAfterValue(thread);
  Location loc = kernel.getLoc();
  Value sum;
  for (size_t bit = 0; bit < steps.size();) {
    size_t end = bit + 1;
    while (end < steps.size() && steps[end] == steps[end - 1] * 2 && steps[bit])
      ++end;
    if (steps[bit]) {
      Value field = thread;
      if (bit)
        field = arith::ShRUIOp::create(b, loc, field, constantI32(bit));
      if (end < steps.size())
        field = arith::AndIOp::create(b, loc, field, constantI32((1 << (end - bit)) - 1));
      if (steps[bit] != 1)
        field = arith::MulIOp::create(b, loc, field, constantI32(steps[bit]));
      sum = sum ? arith::AddIOp::create(b, loc, sum, field).getResult() : field;
    }
    bit = end;
  }
  return known = sum ? sum : constantI32(0);
}

Value GpuLowering::isFirstHolder(const Layout &layout) {
  int64_t spare = 0;
  auto steps = stepsOf(
      layout, [](const Coordinate &basis) { return int64_t(llvm::all_of(basis, [](int64_t x) { return x == 0; })); });
  for (auto [bit, zero] : llvm::enumerate(steps))
    spare |= zero << bit;
  if (!spare)
    return {};
  Location loc = b.getUnknownLoc();
  Value mine = arith::AndIOp::create(b, loc, thread, constantI32(spare));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, mine, constantI32(0));
}

// ptxas would take four steps of a small loop together on some chips, and twice the registers. A step is as wide as a
// block wants it; what hides the latency of its loads is the other warps, of which fewer registers leave room for more.
// Loops of dots are pipelined by us.
static void keepRolled(func::FuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  auto never = LLVM::LoopUnrollAttr::get(context, BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  auto rolled = LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, never, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {});
  kernel.walk([&](scf::ForOp loop) {
    if (!loop->walk([](tile::DotOp) { return WalkResult::interrupt(); }).wasInterrupted())
      loop->setAttr("loop_annotation", rolled);
  });
}

LogicalResult GpuLowering::run() {
  keepRolled(kernel);
  Location loc = kernel.getLoc();
  auto global = LLVM::LLVMPointerType::get(b.getContext(), 1), shared = LLVM::LLVMPointerType::get(b.getContext(), 3);
  b.setInsertionPoint(kernel);
  SmallVector<Type> types;
  for (Type type : kernel.getArgumentTypes())
    types.push_back(isa<tile::ViewType>(type) ? Type(global) : registerType(type));
  auto maps = kernel->getAttrOfType<ArrayAttr>(tile::mapsAttr);
  types.append(maps ? maps.size() : 0, LLVM::LLVMPointerType::get(b.getContext()));
  auto entry = func::FuncOp::create(b, loc, kernel.getName(), b.getFunctionType(types, {}));
  for (StringRef name : {StringRef(tile::kernelAttr), StringRef(tile::warpsAttr), StringRef(tile::sharedAttr),
                         StringRef(tile::producersAttr), StringRef(registerLimitAttr)})
    if (Attribute value = kernel->getAttr(name))
      entry->setAttr(name, value);
  for (BlockArgument argument : kernel.getArguments())
    if (auto access = kernel.getArgAttrOfType<StringAttr>(argument.getArgNumber(), tile::accessAttr);
        access && access.getValue() == "in") {
      entry.setArgAttr(argument.getArgNumber(), "llvm.noalias", b.getUnitAttr());
      entry.setArgAttr(argument.getArgNumber(), "llvm.readonly", b.getUnitAttr());
    }
  for (unsigned map = kernel.getNumArguments(); map < types.size(); ++map) {
    entry.setArgAttr(map, "llvm.byval", TypeAttr::get(LLVM::LLVMArrayType::get(b.getI8Type(), 128)));
    entry.setArgAttr(map, "llvm.align", b.getI64IntegerAttr(64));
  }
  entryBlock = entry.addEntryBlock();
  b.setInsertionPointToStart(entryBlock);
  thread = intrinsic("llvm.nvvm.read.ptx.sreg.tid.x", b.getI32Type(), {});
  sharedBase = LLVM::AddressOfOp::create(b, loc, shared, tile::sharedSymbol);
  for (auto [argument, value] : llvm::zip(kernel.getArguments(), entryBlock->getArguments()))
    bindArgument(argument, value);
  llvm::append_range(tensorMaps, entryBlock->getArguments().drop_front(kernel.getNumArguments()));
  if (failed(lowerPrograms()))
    return failure();
  if (storesBoxes) // shared memory must stay until it has been read
    statement(b, loc, "cp.async.bulk.wait_group.read 0;");
  func::ReturnOp::create(b, loc);
  carryPointers(entry, !kernel->hasAttr(rasterAttr));
  kernel.erase();
  return success();
}

LogicalResult GpuLowering::lowerTile(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::AllocOp>([](auto) { return success(); }) // has its offset
      .Case<tile::IotaOp>([&](auto x) { return lowerIota(x), success(); })
      .Case<tile::UnpackOp>([&](auto x) { return lowerUnpack(x), success(); })
      .Case<tile::DotOp>([&](auto x) { return lowerDot(x), success(); })
      .Case<tile::LoadOp>([&](auto x) { return x.getComponent() ? lowerPackedLoad(x) : lowerLoad(x), success(); })
      .Case<tile::StoreOp>([&](auto x) { return lowerStore(x), success(); })
      .Case<tile::AtomicAddOp>([&](auto x) { return lowerAtomicAdd(x), success(); })
      .Case<tile::CopyOp>([&](auto x) { return lowerCopy(x), success(); })
      .Case<tile::CommitOp>([&](auto) { return intrinsic("llvm.nvvm.cp.async.commit.group", {}, {}), success(); })
      .Case<tile::WaitOp>([&](tile::WaitOp x) {
        return intrinsic("llvm.nvvm.cp.async.wait.group", {}, {constantI32(x.getPending())}), success();
      })
      .Case<tile::SharedStoreOp>([&](auto x) { return lowerSharedStore(x), success(); })
      .Case<tile::SharedLoadOp>([&](auto x) { return lowerSharedLoad(x), success(); })
      .Case<tile::ReduceOp>([&](auto x) { return lowerReduce(x), success(); })
      .Case<tile::ArgMaxOp>([&](auto x) { return lowerArgMax(x), success(); })
      .Case<tile::BarrierOp>([&](auto x) { return lowerBarrier(x), success(); })
      .Default([&](Operation *other) { return lowerRole(other); });
}

// Words that a loop carries are registers, where halves or bytes would each be one.
static int64_t elementsAWord(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  int64_t count = tensor && !tensor.getElementType().isInteger(1) ? 4 / std::min<int64_t>(elementBytes(type), 4) : 1;
  return count > 1 && tile::layoutOf(tensor).registers() % count == 0 ? count : 1;
}

Registers GpuLowering::carriedOf(Value tile) {
  return elementsAWord(tile.getType()) > 1 ? packWords(b, tile.getLoc(), regs(tile)) : regs(tile);
}

Registers GpuLowering::heldOf(Type type, ValueRange carried) {
  if (elementsAWord(type) == 1)
    return {carried.begin(), carried.end()};
  return unpackWords(b, carried.front().getLoc(), carried, heldType(getElementTypeOrSelf(type)));
}

void GpuLowering::lowerIota(tile::IotaOp op) {
  Layout layout = tile::layoutOf(cast<RankedTensorType>(op.getType()));
  Location loc = op.getLoc();
  Value origin = arith::TruncIOp::create(b, loc, b.getI32Type(), scalar(op.getOrigin()));
  Value mine = arith::AddIOp::create(b, loc, origin, walk(stepsOf(layout, [](const Coordinate &at) { return at[0]; })));
  Registers out;
  for (int64_t r = 0; r < layout.registers(); ++r)
    out.push_back(arith::AddIOp::create(b, loc, mine, constantI32(layout.at(r, 0)[0])));
  registers[op] = out;
}

SmallVector<Value> GpuLowering::operandOf(Value tile, ArrayRef<int64_t> numbers) {
  auto late = lates.find(tile);
  SmallVector<Value> values;
  for (int64_t r : numbers)
    values.push_back(late == lates.end() ? regs(tile)[r]
                     : late->second.wide ? late->second.reader->wideAt(late->second.from[r])
                                         : late->second.reader->at(late->second.from[r]));
  return values;
}

SmallVector<Value> GpuLowering::operandOf(Value tile, int64_t first, int64_t count) {
  return operandOf(tile, llvm::to_vector(llvm::seq(first, first + count)));
}

// k ascends for every element; neighbours in m and n are independent chains. Of each k the operand with fewer registers
// stays, the other streams past it, so that few fragments live at once.
void GpuLowering::lowerDot(tile::DotOp op) {
  if (isWgmma(op))
    return lowerWarpgroupDot(op);
  const MmaOp &mma = *chooseMma(target, op);
  auto layoutOf = [](Value value) { return tile::layoutOf(cast<RankedTensorType>(value.getType())); };
  Layout acc = layoutOf(op.getResult()), lhs = layoutOf(op.getLhs()), rhs = layoutOf(op.getRhs());
  Registers values = regs(op.getAcc());
  if (Value goesOn = pastRestart(op)) {
    Value zero = arith::ConstantOp::create(b, op.getLoc(), b.getZeroAttr(values.front().getType()));
    for (Value &value : values)
      value = arith::SelectOp::create(b, op.getLoc(), goesOn, value, zero);
  }
  op.emitRemark() << "dot: " << values.size() << " accumulators a thread, "
                  << StringRef(mma.name.data(), mma.name.size()) << ", " << mma.m << " x " << mma.n << " x " << mma.k
                  << ", " << warpsText(acc);
  if (mma.matrix()) {
    bool turned = isTurned(op);
    Value left = turned ? op.getRhs() : op.getLhs(), right = turned ? op.getLhs() : op.getRhs();
    Fragments fragments(mma, lhs, rhs, acc, turned);
    int64_t rows = fragments.rows(), columns = fragments.columns();
    bool leftStays = layoutOf(left).registers() <= layoutOf(right).registers();
    int64_t outer = leftStays ? columns : rows, inner = leftStays ? rows : columns;
    for (int64_t k = 0; k < fragments.steps(); ++k)
      for (int64_t i = 0; i < outer * inner; ++i) {
        int64_t m = leftStays ? i % inner : i / inner, n = leftStays ? i / inner : i % inner;
        SmallVector<int64_t> sums = fragments.acc(m, n);
        SmallVector<Value> part;
        for (int64_t r : sums)
          part.push_back(values[r]);
        emitMma(b, op.getLoc(), mma, operandOf(left, fragments.lhs(m, k)), operandOf(right, fragments.rhs(k, n)), part);
        for (auto [r, sum] : llvm::zip(sums, part))
          values[r] = sum;
      }
    registers[op] = values;
    return;
  }
  lowerThreadDot(op, mma, values);
}

// Places of k that a product of threads brings from shared memory at a time: as many as 16 bytes of halves, or half of
// that where two such parts would take more than a quarter of the registers.
static int64_t partOfDepth(tile::DotOp op, int64_t depth) {
  constexpr int64_t quarter = 64;
  auto words = [&](Value operand) {
    while (Operation *made = operand.getDefiningOp()) {
      if (!isa<arith::ExtFOp, tile::TransOp>(made))
        break;
      operand = made->getOperand(0);
    }
    auto type = cast<RankedTensorType>(operand.getType());
    return tile::layoutOf(type).registers() * elementBytes(type) / 4;
  };
  int64_t part = std::min<int64_t>(depth, 8);
  return 2 * part * (words(op.getLhs()) + words(op.getRhs())) > quarter * depth ? std::min<int64_t>(part, 4) : part;
}

// One thread's elements: those of the operands are found by their coordinates. What comes from shared memory comes by
// a few k a time, one such part ahead of its use, and is widened as it is used: a barrier of the warp keeps ptxas from
// bringing all of it to the front, for which it would spill the sums.
void GpuLowering::lowerThreadDot(tile::DotOp op, const MmaOp &mma, Registers values) {
  auto layoutOf = [](Value value) { return tile::layoutOf(cast<RankedTensorType>(value.getType())); };
  Layout acc = layoutOf(op.getResult()), lhs = layoutOf(op.getLhs()), rhs = layoutOf(op.getRhs());
  std::map<Coordinate, int64_t> lhsAt, rhsAt; // by k first
  for (int64_t r = 0; r < lhs.registers(); ++r)
    lhsAt[{lhs.at(r, 0)[1], lhs.at(r, 0)[0]}] = r;
  for (int64_t r = 0; r < rhs.registers(); ++r)
    rhsAt[rhs.at(r, 0)] = r;
  int64_t depth = lhs.shape()[1], part = partOfDepth(op, depth);
  auto bring = [&](int64_t first) {
    for (auto [tile, places] : {std::pair(op.getLhs(), &lhsAt), {op.getRhs(), &rhsAt}})
      if (auto late = lates.find(tile); late != lates.end())
        for (auto it = places->lower_bound({first, 0}), end = places->lower_bound({first + part, 0}); it != end; ++it)
          late->second.reader->at(late->second.from[it->second]);
  };
  bool inParts = lates.contains(op.getLhs()) || lates.contains(op.getRhs());
  if (inParts)
    bring(0);
  for (int64_t k = 0; k < depth; k += mma.k) {
    if (inParts && k % part == 0 && k + part < depth) {
      if (k)
        intrinsic("llvm.nvvm.bar.warp.sync", {}, {constantI32(-1)});
      bring(k + part);
    }
    for (int64_t r = 0; r < acc.registers(); ++r) {
      Coordinate at = acc.at(r, 0);
      SmallVector<Value> left, right;
      for (int64_t i = 0; i < mma.k; ++i) {
        left.append(operandOf(op.getLhs(), lhsAt[{k + i, at[0]}], 1));
        right.append(operandOf(op.getRhs(), rhsAt[{k + i, at[1]}], 1));
      }
      emitMma(b, op.getLoc(), mma, left, right, MutableArrayRef(values).slice(r, 1));
    }
  }
  registers[op] = values;
}

} // namespace tessera::gpu

namespace {

struct LowerGpu : tessera::impl::TileLowerGpuBase<LowerGpu> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    ModuleOp module = getOperation();
    OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
    auto bytes = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
    LLVM::GlobalOp::create(b, module.getLoc(), bytes, /*isConstant=*/false, LLVM::Linkage::External,
                           tessera::tile::sharedSymbol, Attribute(), /*alignment=*/1024, /*addrSpace=*/3);
    for (func::FuncOp kernel : tessera::kernelsOf(module))
      if (failed(tessera::gpu::GpuLowering(kernel, *chip).run()))
        return signalPassFailure();
  }
};

} // namespace
