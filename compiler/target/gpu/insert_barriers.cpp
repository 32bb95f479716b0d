// Barriers, from a walk over what each operation reads and writes: one stands before an operation that would touch what
// another thread may still be reading, or has written since the last barrier. Loops are walked twice, so that what one
// iteration leaves open meets the next. Slots of a ring are apart where their phases are; in the next iteration what
// was phase p is p - 1. An asynchronous copy is a write when it is waited for: until then nobody may touch its slot.
// What the copy engine takes from a buffer it reads on behind barriers: the one before the buffer's next write waits.
#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "compiler/target/gpu/grid.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/access.h"
#include "compiler/tile/roles.h"
#include "llvm/ADT/TypeSwitch.h"
#include <algorithm>

namespace tessera {
#define GEN_PASS_DEF_TILEINSERTBARRIERS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// One read or write since the last barrier.
struct Touch {
  bool write;
  // Shared memory: a range of bytes; of a ring, the slot that `phase` names.
  int64_t begin = 0, end = 0;
  Operation *buffer = nullptr;
  std::optional<int64_t> phase = {};
  bool byEngine = false; // a tile.tensor_store reads it, until a barrier says that it has
  // Global memory: a tensor and the layout in which its blocks are touched.
  Value view;
  Attribute layout;
  bool operator==(const Touch &) const = default;
};

bool conflict(const Touch &x, const Touch &y) {
  if (!x.write && !y.write)
    return false;
  if (bool(x.view) != bool(y.view))
    return false;
  if (x.view) // the same whole blocks in the same layout: a thread meets only itself
    return x.view == y.view && !(x.layout && x.layout == y.layout);
  if (x.begin >= y.end || y.begin >= x.end)
    return false;
  bool apart = x.buffer == y.buffer && x.phase && y.phase &&
               (*x.phase - *y.phase) % cast<tile::AllocOp>(x.buffer).getType().getSlots() != 0;
  return !apart;
}

// The loop whose iterations a ring's phases count: the one beside its alloc that reads it.
Operation *loopOf(Operation *alloc) {
  for (Operation *user : alloc->getUsers())
    if (auto load = dyn_cast<tile::SharedLoadOp>(user); load && load.getPhase())
      return alloc->getBlock()->findAncestorOpInBlock(*user);
  return nullptr;
}

struct InsertBarriers : tessera::impl::TileInsertBarriersBase<InsertBarriers> {
  using Open = SmallVector<Touch>;

  void runOnOperation() override {
    Open open;
    walkBlock(getOperation().getBody().front(), open);
    if (getOperation()->hasAttr(gpu::persistentAttr)) // one program after another: a loop around the body
      walkBlock(getOperation().getBody().front(), open);
  }

  void walkBlock(Block &block, Open &open) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (auto loop = dyn_cast<scf::ForOp>(op)) {
        Open before = open;
        walkBlock(*loop.getBody(), open);
        age(open, loop);
        walkBlock(*loop.getBody(), open);
        merge(open, before); // the loop may not run at all
        forgetPhases(open, loop);
      } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
        Open other = open;
        walkBlock(*branch.thenBlock(), open);
        if (!branch.getElseRegion().empty())
          walkBlock(*branch.elseBlock(), other);
        merge(open, other);
      } else if (isa<tile::BarrierOp>(op)) {
        close(&op, open);
      } else {
        visit(&op, open);
      }
    }
  }

  static void merge(Open &into, const Open &from) {
    for (const Touch &touch : from)
      if (!llvm::is_contained(into, touch))
        into.push_back(touch);
  }

  static void age(Open &open, Operation *loop) {
    for (Touch &touch : open)
      if (touch.phase && loopOf(touch.buffer) == loop)
        --*touch.phase;
  }
  static void forgetPhases(Open &open, Operation *loop) {
    for (Touch &touch : open)
      if (touch.phase && loopOf(touch.buffer) == loop)
        touch.phase.reset();
  }

  void visit(Operation *op, Open &open) {
    SmallVector<Touch> touches = touchesOf(op);
    // What a wait completes was this thread's own copy.
    Open clashing;
    if (!isa<tile::WaitOp>(op))
      llvm::copy_if(open, std::back_inserter(clashing), [&](const Touch &x) {
        return llvm::any_of(touches, [&](const Touch &mine) { return conflict(x, mine); });
      });
    if (!clashing.empty()) {
      OpBuilder b(op);
      auto barrier = tile::BarrierOp::create(b, op->getLoc());
      if (llvm::any_of(clashing, [](const Touch &x) { return x.byEngine; }))
        barrier->setAttr(gpu::storesReadAttr, b.getUnitAttr());
      close(barrier, open);
    }
    // A reduction over warps has its own barrier between writing and reading its scratch.
    if (isa<tile::ReduceOp, tile::ArgMaxOp, tile::ScanOp>(op) && !touches.empty()) {
      if (llvm::any_of(open, writesForEngines)) {
        OpBuilder b(op);
        close(tile::BarrierOp::create(b, op->getLoc()), open);
      }
      llvm::erase_if(open, [](const Touch &touch) { return !touch.byEngine; });
      for (Touch &touch : touches)
        touch.write = false;
    }
    merge(open, touches);
  }

  static bool writesForEngines(const Touch &touch) {
    return touch.write && touch.buffer && llvm::any_of(touch.buffer->getUsers(), [](Operation *user) {
             auto read = dyn_cast<tile::SharedLoadOp>(user);
             return isa<tile::TensorStoreOp>(user) || (read && gpu::wgmmaReader(read));
           });
  }
  // All that is open is done at the barrier. What wgmma or the copy engine will read of what was written since the last
  // one is fenced before this one: they go by another proxy.
  static void close(Operation *barrier, Open &open) {
    if (llvm::any_of(open, writesForEngines))
      barrier->setAttr(gpu::proxyAttr, UnitAttr::get(barrier->getContext()));
    bool stores = barrier->hasAttr(gpu::storesReadAttr);
    llvm::erase_if(open, [&](const Touch &touch) { return stores || !touch.byEngine; });
  }

  static Touch shared(bool write, Value buffer, std::optional<int64_t> phase) {
    auto alloc = buffer.getDefiningOp<tile::AllocOp>();
    int64_t begin = *alloc.getOffset();
    return {write, begin, begin + gpu::bufferBytes(alloc.getType()), alloc, phase};
  }

  SmallVector<Touch> touchesOf(Operation *op) {
    SmallVector<Touch> touches;
    llvm::TypeSwitch<Operation *>(op)
        .Case<tile::SharedStoreOp>([&](auto x) { touches.push_back(shared(true, x.getBuffer(), x.getPhase())); })
        .Case<tile::SharedLoadOp>([&](auto x) { touches.push_back(shared(false, x.getBuffer(), x.getPhase())); })
        .Case<tile::CopyOp>([&](auto x) { touches.push_back(shared(true, x.getBuffer(), x.getPhase())); })
        .Case<tile::WaitOp>([&](tile::WaitOp x) {
          for (Value buffer : x.getBuffers())
            touches.push_back(shared(true, buffer, 0));
        })
        .Case<tile::TensorStoreOp>([&](tile::TensorStoreOp x) {
          Touch touch = shared(false, x.getBuffer(), {});
          touch.byEngine = true;
          touches.push_back(touch);
        })
        .Case<tile::ReduceOp, tile::ArgMaxOp, tile::ScanOp>([&](auto x) {
          if (x.getScratch())
            touches.push_back(shared(true, x.getScratch(), {}));
        })
        .Case<tile::LoadOp>([&](auto x) { touches.push_back(global(op, false, x.getView(), x.getType())); })
        .Case<tile::StoreOp>([&](auto x) { touches.push_back(global(op, true, x.getView(), x.getValue().getType())); })
        .Case<tile::AtomicAddOp>([&](auto x) { touches.push_back(global(op, true, x.getView(), {})); });
    llvm::erase_if(touches, [](const Touch &touch) { return !touch.buffer && !touch.view; });
    return touches;
  }

  // A tensor that is only read or only written needs no order.
  Touch global(Operation *op, bool write, Value view, Type type) {
    auto argument = dyn_cast<BlockArgument>(view);
    auto access = getOperation().getArgAttrOfType<StringAttr>(argument.getArgNumber(), tile::accessAttr);
    Touch touch{write};
    if (access.getValue() != "inout" && access.getValue() != "out")
      return touch;
    touch.view = view;
    bool whole = true; // blocks that are the same or apart
    for (auto [axis, size] : llvm::zip(tile::axesOf(op), sizesOf(op)))
      whole &= axis.kind == tile::Subscript::all || axis.kind == tile::Subscript::point ||
               ((axis.kind == tile::Subscript::range || axis.kind == tile::Subscript::whole) &&
                knownDivisor(axis.index) % size == 0);
    auto tensor = dyn_cast_or_null<RankedTensorType>(type);
    if (whole && tensor)
      touch.layout = ArrayAttr::get(&getContext(), {TypeAttr::get(tensor), op->getAttr("kinds")});
    return touch;
  }
  static ArrayRef<int64_t> sizesOf(Operation *op) { return op->getAttrOfType<DenseI64ArrayAttr>("sizes").asArrayRef(); }
};

} // namespace
