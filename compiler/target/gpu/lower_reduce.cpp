// Reductions and argmax. The order of combination is fixed by the layout: a thread's elements pairwise as a binary
// tree, then lanes by butterflies, which give every lane the same bits, then warps in ascending order.
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"

using namespace mlir;

namespace tessera::gpu {

Registers GpuLowering::acrossLanes(const Layout &layout, int axis, Registers values,
                                   llvm::function_ref<Registers(Registers, Registers)> combine) {
  for (auto [bit, basis] : llvm::enumerate(layout.lane)) {
    if (!basis[axis])
      continue;
    Registers others;
    for (Value value : values)
      others.push_back(shuffle(value, 1 << bit));
    values = combine(values, others);
  }
  return values;
}

// `parts` holds for each of the tile's registers what is combined (a value, or a value and its position); the first of
// the combined entries, or the last where there are several, is the result.
void GpuLowering::reduceAll(Operation *op, int axis, Value scratch, SmallVector<Registers> parts,
                            llvm::function_ref<Registers(Registers, Registers)> combine) {
  Location loc = op->getLoc();
  Layout from = tile::layoutOf(cast<RankedTensorType>(op->getOperand(0).getType())),
         to = tile::layoutOf(cast<RankedTensorType>(op->getResult(0).getType()));
  SmallVector<Registers> reduced;
  for (auto &group : groupsAlong(from, axis, to)) {
    SmallVector<Registers> entries;
    for (int64_t r : group)
      entries.push_back(parts[r]);
    reduced.push_back(acrossLanes(from, axis, combineTree(entries, combine), combine));
  }
  if (scratch) {
    // Every warp along the axis writes its entry, all read all of them.
    auto type = cast<tile::SharedType>(scratch.getType());
    int64_t width = reduced[0].size(), warps = type.getSlots() / width, pitch = slotBytes(type);
    int64_t bytes = elementBytes(type.getElementType());
    Coordinate shape = to.shape();
    auto pointerAt = [&](Value base, int64_t offset) -> Value {
      return LLVM::GEPOp::create(b, loc, base.getType(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{int32_t(offset)});
    };
    auto element = [&](const Coordinate &at) { return elementNumber(at, shape) * bytes; };
    Value mine = walk(stepsOf(to, element));
    // Which warp along the axis: its bits in ascending order of their steps, so that the order is the tile's.
    SmallVector<std::pair<int64_t, size_t>> alongAxis;
    for (auto [bit, basis] : llvm::enumerate(from.warp))
      if (basis[axis])
        alongAxis.push_back({basis[axis], bit});
    llvm::sort(alongAxis);
    SmallVector<int64_t> steps(from.lane.size() + from.warp.size(), 0);
    for (auto [rank, entry] : llvm::enumerate(alongAxis))
      steps[from.lane.size() + entry.second] = (int64_t(1) << rank) * width * pitch;
    Value base = bufferBase(scratch);
    auto at32 = [&](Value offset) -> Value {
      return LLVM::GEPOp::create(b, loc, base.getType(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{offset});
    };
    Value writing = at32(arith::AddIOp::create(b, loc, mine, walk(steps))), reading = at32(mine);
    // Lanes along the axis hold the same now; one of them writes.
    int64_t spare = 0;
    for (auto [bit, basis] : llvm::enumerate(to.lane))
      if (llvm::all_of(basis, [](int64_t x) { return x == 0; }))
        spare |= int64_t(1) << bit;
    for (auto [bit, basis] : llvm::enumerate(from.warp))
      if (llvm::all_of(basis, [](int64_t x) { return x == 0; }))
        spare |= int64_t(1) << (bit + to.lane.size());
    Value first = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                        arith::AndIOp::create(b, loc, thread, constantI32(spare)), constantI32(0));
    {
      auto branch = scf::IfOp::create(b, loc, first, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard restore(b);
      b.setInsertionPoint(branch.thenBlock()->getTerminator());
      for (auto [r, entry] : llvm::enumerate(reduced))
        for (auto [i, value] : llvm::enumerate(entry))
          LLVM::StoreOp::create(b, loc, value, pointerAt(writing, element(to.at(r, 0)) + int64_t(i) * pitch), bytes);
    }
    blockBarrier();
    for (auto [r, entry] : llvm::enumerate(reduced)) {
      Registers all;
      for (int64_t warp = 0; warp < warps; ++warp) {
        Registers part;
        for (auto [i, value] : llvm::enumerate(entry))
          part.push_back(LLVM::LoadOp::create(
              b, loc, value.getType(), pointerAt(reading, element(to.at(r, 0)) + (warp * width + int64_t(i)) * pitch),
              bytes));
        all = all.empty() ? part : combine(all, part);
      }
      entry = all;
    }
  }
  Registers out;
  for (Registers &entry : reduced)
    out.push_back(entry.back());
  registers[op->getResult(0)] = out;
}

void GpuLowering::lowerReduce(tile::ReduceOp op) {
  SmallVector<Registers> parts;
  for (Value value : regs(op.getValue()))
    parts.push_back({value});
  // max.f32: one instruction where a comparison takes two; it passes NaN over.
  bool maxima = op.getKind() == tile::ReduceKind::max && parts.front()[0].getType().isF32();
  reduceAll(op, int(op.getAxis()), op.getScratch(), parts, [&](Registers x, Registers y) -> Registers {
    return {maxima ? arith::MaxNumFOp::create(b, op.getLoc(), x[0], y[0]).getResult()
                   : combine(b, op.getLoc(), op.getKind(), x[0], y[0])};
  });
}

void GpuLowering::lowerArgMax(tile::ArgMaxOp op) {
  Location loc = op.getLoc();
  int axis = int(op.getAxis());
  Layout from = tile::layoutOf(cast<RankedTensorType>(op.getValue().getType()));
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(op.getValue().getType()));
  Value mine = walk(stepsOf(from, [&](const Coordinate &at) { return at[axis]; }));
  SmallVector<Registers> parts;
  for (auto [r, value] : llvm::enumerate(regs(op.getValue())))
    parts.push_back({value, arith::AddIOp::create(b, loc, mine, constantI32(from.at(r, 0)[axis]))});
  reduceAll(op, axis, op.getScratch(), parts, [&](Registers x, Registers y) -> Registers {
    auto compare = [&](arith::CmpFPredicate f, arith::CmpIPredicate i) -> Value {
      return isFloat ? arith::CmpFOp::create(b, loc, f, x[0], y[0]).getResult()
                     : arith::CmpIOp::create(b, loc, i, x[0], y[0]).getResult();
    };
    Value greater = compare(arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt);
    Value equal = compare(arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq);
    Value lower = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x[1], y[1]);
    Value first = arith::OrIOp::create(b, loc, greater, arith::AndIOp::create(b, loc, equal, lower));
    return {arith::SelectOp::create(b, loc, first, x[0], y[0]), arith::SelectOp::create(b, loc, first, x[1], y[1])};
  });
}

} // namespace tessera::gpu
