// Moves that no thread can make alone, nor a warp more cheaply, go through shared memory: tile.convert and tile.reshape
// become a store and a load of a buffer; reductions over several warps get a buffer for their partial results.
#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {
#define GEN_PASS_DEF_TILESTAGESHARED
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

struct StageShared : tessera::impl::TileStageSharedBase<StageShared> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      llvm::TypeSwitch<Operation *>(op)
          .Case<tile::ConvertOp, tile::ReshapeOp>([&](auto move) {
            if (gpu::cheapestWay(move) == gpu::Way::shared || isRightOfWgmma(move))
              throughShared(move, move.getValue());
          })
          .Case<tile::ReduceOp, tile::ArgMaxOp, tile::ScanOp>([&](auto reduce) {
            int64_t slots = gpu::warpsAlong(reduce.getValue(), int(reduce.getAxis()));
            if (slots > 1)
              giveScratch(reduce, slots);
          });
  }

  // A predicate has no bytes: it travels as i8.
  void throughShared(Operation *move, Value value) {
    OpBuilder b(move);
    Location loc = move->getLoc();
    auto to = cast<RankedTensorType>(move->getResult(0).getType());
    bool predicate = to.getElementType().isInteger(1);
    if (predicate)
      value = arith::ExtUIOp::create(b, loc, cast<RankedTensorType>(value.getType()).clone(b.getI8Type()), value);
    auto from = cast<RankedTensorType>(value.getType());
    // Under another shape rows are cut anew: such a buffer is one row, which is not swizzled.
    int64_t elements = from.getNumElements();
    SmallVector<int64_t> shape(from.getShape() == to.getShape() ? from.getShape() : ArrayRef(elements));
    tile::DotOp warpgroups = gpu::wgmmaReader(move->getResult(0));
    if (warpgroups)
      shape = gpu::panelShape(from);
    auto buffer = tile::AllocOp::create(b, loc, tile::SharedType::get(&getContext(), 1, shape, from.getElementType()),
                                        IntegerAttr());
    tile::SharedStoreOp::create(b, loc, value, buffer, Value(), IntegerAttr());
    b.setInsertionPoint(warpgroups ? beside(warpgroups, move) : readingPlace(move));
    Value out =
        tile::SharedLoadOp::create(b, loc, predicate ? to.clone(b.getI8Type()) : to, buffer, Value(), IntegerAttr());
    if (predicate)
      out = arith::TruncIOp::create(b, loc, to, out);
    move->getResult(0).replaceAllUsesWith(out);
    move->erase();
  }

  static bool isRightOfWgmma(Operation *move) {
    Value read = move->getResult(0);
    tile::DotOp dot = gpu::wgmmaReader(read);
    while (dot && isa<tile::TransOp>(*read.getUsers().begin()))
      read = (*read.getUsers().begin())->getResult(0);
    return dot && dot.getRhs() == read;
  }

  // wgmma reads shared memory itself: transposes between stand beside the dot, and so does the load.
  static Operation *beside(tile::DotOp dot, Operation *move) {
    Operation *first = dot;
    for (Operation *user = *move->getResult(0).getUsers().begin(); user != dot; user = *user->getUsers().begin()) {
      user->moveBefore(dot);
      first = first == dot ? user : first;
    }
    return first;
  }

  // As late as can be, so that one barrier serves several; what threads multiply only at the dot, part by part, where
  // it is widened too. A dot's operand that a loop keeps is read anew in every step where it and what else lives
  // through a step would leave little of the registers: a load on its way and what the loop carries.
  static Operation *readingPlace(Operation *move) {
    constexpr int64_t budget = 240;
    SmallVector<Operation *> made; // of what is read, up to the dot
    Operation *user = move;
    do {
      if (!user->hasOneUse())
        return firstUser(move);
      made.push_back(user);
      user = *user->getUsers().begin();
    } while (isa<arith::ExtFOp, tile::TransOp>(user));
    Operation *around = move->getBlock()->findAncestorOpInBlock(*user);
    auto loop = dyn_cast_or_null<scf::ForOp>(around);
    if (!isa<tile::DotOp>(user) || (around != user && !loop))
      return firstUser(move);
    Value operand = made.back()->getResult(0);
    if (loop) {
      int64_t arriving = 0, carried = 0;
      loop->walk([&](tile::LoadOp load) { arriving = std::max(arriving, wordsOf(load.getResult())); });
      for (Value value : loop.getRegionIterArgs())
        carried += wordsOf(value);
      if (wordsOf(operand) + arriving + carried <= budget)
        return firstUser(move);
    } else if (getElementTypeOrSelf(operand).isF32()) {
      // Before what is read of buffers that were filled outside the loop: no barrier comes between those and the dot.
      for (Operation *before = user->getPrevNode();
           isa_and_nonnull<tile::SharedLoadOp, arith::ExtFOp, tile::TransOp>(before); before = before->getPrevNode())
        user = llvm::is_contained(made, before) ? user : before;
    } else {
      return firstUser(move);
    }
    for (Operation *op : ArrayRef(made).drop_front())
      op->moveBefore(user);
    return made.size() > 1 ? made[1] : user;
  }
  static int64_t wordsOf(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type ? tile::layoutOf(type).registers() * gpu::elementBytes(type) / 4 : 1;
  }

  // The first operation of the move's block that uses it, itself or inside.
  static Operation *firstUser(Operation *move) {
    Operation *first = nullptr;
    for (Operation *user : move->getResult(0).getUsers()) {
      Operation *ancestor = move->getBlock()->findAncestorOpInBlock(*user);
      if (!first || ancestor->isBeforeInBlock(first))
        first = ancestor;
    }
    return first ? first : move;
  }

  // One entry a warp along the axis for each of the result's elements.
  template <class Op> void giveScratch(Op reduce, int64_t slots) {
    OpBuilder b(reduce);
    auto type = cast<RankedTensorType>(reduce.getValue().getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[reduce.getAxis()] = 1;
    int64_t elements = 1;
    for (int64_t extent : shape)
      elements *= extent;
    bool positions = isa<tile::ArgMaxOp>(reduce.getOperation()); // values, then where they were found
    Type element = positions ? Type(b.getI32Type()) : type.getElementType();
    auto buffer = tile::AllocOp::create(
        b, reduce.getLoc(), tile::SharedType::get(&getContext(), positions ? 2 * slots : slots, {elements}, element),
        IntegerAttr());
    reduce.getScratchMutable().assign(buffer);
  }
};

} // namespace
