#include "compiler/target/gpu/grid.h"
#include "compiler/target/gpu/lower.h"

using namespace mlir;

namespace tessera::gpu {

// Of a kernel whose launch has fewer blocks than programs, a loop: block b of n takes the programs b, b + n, ...
LogicalResult GpuLowering::lowerPrograms() {
  Axes axes;
  if (failed(gridAxes(axes)))
    return failure();
  Block &body = kernel.getBody().front();
  if (!kernel->hasAttr(persistentAttr)) {
    bindPrograms(axes, {});
    return lowerBlock(body);
  }
  bool walks = kernel.walk([](tile::WalkOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (walks) // its roles have loops of their own
    return lowerBlock(body);
  Location loc = kernel.getLoc();
  Value total = allPrograms(axes);
  auto loop = scf::ForOp::create(b, loc, special("ctaid.x"), total, special("nctaid.x"));
  OpBuilder::InsertionGuard restore(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  bindPrograms(axes, loop.getInductionVar());
  return lowerBlock(body);
}

Value GpuLowering::allPrograms(const Axes &axes) {
  Value total;
  for (auto [axis, bound] : axes) {
    Value count = programsAlong(axis, bound);
    total = total ? arith::MulIOp::create(b, axis.getLoc(), total, count).getResult() : count;
  }
  return total;
}

LogicalResult GpuLowering::lowerWalk(tile::WalkOp op) {
  Axes axes;
  if (failed(gridAxes(axes)))
    return failure();
  registers[op.getFirst()] = {special("ctaid.x")};
  registers[op.getEnd()] = {allPrograms(axes)};
  registers[op.getStep()] = {special("nctaid.x")};
  return success();
}

LogicalResult GpuLowering::lowerEnter(tile::EnterOp op) {
  Axes axes;
  if (failed(gridAxes(axes)))
    return failure();
  bindPrograms(axes, scalar(op.getNumber()));
  return success();
}

// A variable of the thread, which LLVM turns into registers.
Value GpuLowering::remembered(int64_t number) {
  Value &variable = variables[number];
  if (!variable) {
    OpBuilder::InsertionGuard restore(b);
    b.setInsertionPointToStart(entryBlock);
    variable = LLVM::AllocaOp::create(b, kernel.getLoc(), LLVM::LLVMPointerType::get(b.getContext()), b.getI32Type(),
                                      constantI32(1), 4);
  }
  return variable;
}

Value GpuLowering::special(StringRef name) {
  return widen(intrinsic(("llvm.nvvm.read.ptx.sreg." + name).str(), b.getI32Type(), {}));
}

Value GpuLowering::programsAlong(tile::ProgramOp axis, Value bound) {
  return arith::CeilDivUIOp::create(b, axis.getLoc(), bound, constantI64(axis.getBlock()));
}

// Each axis takes its part of `number`, the last axis runs fastest. Where there is none, the program's number is the
// block's place in the launch: the last axis is x, the one before it y, and those before share z.
void GpuLowering::bindPrograms(const Axes &axes, Value number) {
  constexpr StringLiteral places[] = {"ctaid.x", "ctaid.y", "ctaid.z"};
  bool isFlat = bool(number);
  SmallVector<Value> numbers(axes.size());
  for (int64_t i = int64_t(axes.size()) - 1, fromLast = 0; i >= 0; --i, ++fromLast) {
    auto [axis, bound] = axes[i];
    if (!isFlat && fromLast <= 2)
      number = special(places[fromLast]);
    numbers[i] = number;
    if (i == 0 || (!isFlat && fromLast < 2))
      continue;
    Value count = programsAlong(axis, bound);
    numbers[i] = arith::RemUIOp::create(b, axis.getLoc(), number, count);
    number = arith::DivUIOp::create(b, axis.getLoc(), number, count);
  }
  if (auto rows = kernel->getAttrOfType<IntegerAttr>(rasterAttr))
    renumber(axes, rows.getInt(), numbers);
  for (size_t i = 0; i < axes.size(); ++i) {
    auto [axis, bound] = axes[i];
    registers[axis.getOrigin()] = {arith::MulIOp::create(b, axis.getLoc(), numbers[i], constantI64(axis.getBlock()))};
  }
}

// The last two axes in groups of `rows` along the last, which in the last group are what is left; within a group the
// last axis runs fastest. The same programs under other numbers, whatever their counts. In 32 bits, which a launch's
// blocks fit in: a division of 64 is a call, and what comes of it keeps twice the registers to the kernel's end.
void GpuLowering::renumber(const Axes &axes, int64_t rows, MutableArrayRef<Value> numbers) {
  auto [slowAxis, slowBound] = axes[axes.size() - 2];
  auto [fastAxis, fastBound] = axes.back();
  Location loc = fastAxis.getLoc();
  auto narrow = [&](Value value) -> Value { return arith::TruncIOp::create(b, loc, b.getI32Type(), value); };
  Value slow = narrow(numbers[numbers.size() - 2]), fast = narrow(numbers.back()), most = constantI32(rows);
  Value along = narrow(programsAlong(fastAxis, fastBound)), across = narrow(programsAlong(slowAxis, slowBound));
  Value before = arith::MulIOp::create(b, loc, slow, along), linear = arith::AddIOp::create(b, loc, before, fast);
  Value size = arith::MulIOp::create(b, loc, across, most);
  Value first = arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, linear, size), most);
  Value inGroup = arith::RemUIOp::create(b, loc, linear, size), left = arith::SubIOp::create(b, loc, along, first);
  Value width = arith::MinUIOp::create(b, loc, left, most);
  numbers.back() = widen(arith::AddIOp::create(b, loc, first, arith::RemUIOp::create(b, loc, inGroup, width)));
  numbers[numbers.size() - 2] = widen(arith::DivUIOp::create(b, loc, inGroup, width));
}

} // namespace tessera::gpu
