// Layouts on a GPU. Tiles that must agree (operands and results of element-wise operations, what a loop carries) form a
// group with one layout. A group with a dot's accumulator takes that dot's; reductions and broadcasts carry layouts to
// their other side; what is left takes the widest coalesced access. Where two groups meet that disagree, and before a
// dot's operands, tile.convert stands.
#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/packed_words.h"
#include "compiler/target/gpu/panel_columns.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/access.h"
#include "compiler/tile/layouts.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {
#define GEN_PASS_DEF_TILEASSIGNGPULAYOUTS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }
bool isTile(Value value) { return isa<RankedTensorType>(value.getType()); }

// The layout of a broadcast's operand of `shape`, given its result's.
Layout beforeBroadcast(Layout layout, ArrayRef<int64_t> shape) {
  while (layout.rank() > int(shape.size()))
    layout = layout.dropped(0);
  Coordinate have = layout.shape();
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] == 1 && have[d] != 1)
      layout = layout.sliced(int(d));
  return layout;
}

struct AssignGpuLayouts : tessera::impl::TileAssignGpuLayoutsBase<AssignGpuLayouts> {
  using Base::Base;
  const Target *row = nullptr;
  int warpCount = 1;
  llvm::EquivalenceClasses<void *> same;
  llvm::MapVector<void *, Layout> chosen; // by leader
  SmallVector<void *> fresh;              // groups whose layout was chosen and not yet carried on

  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    row = chip;
    auto wanted = getOperation()->getAttrOfType<IntegerAttr>(tile::warpsAttr); // by a pass before
    warpCount = warps ? warps : wanted ? int(wanted.getInt()) : gpu::defaultWarps(getOperation());
    getOperation()->setAttr(tile::warpsAttr, IntegerAttr::get(IntegerType::get(&getContext(), 64), warpCount));
    same = {}, chosen.clear(), fresh.clear(); // of the kernel before
    cloneCheap();
    joinGroups();
    if (!anchorDots())
      return signalPassFailure();
    spread();
    llvm::SetVector<tile::LoadOp> codes;
    getOperation()->walk([&](tile::DotOp dot) {
      if (gpu::isTurned(dot))
        codes.insert(gpu::codesBehind(dot));
    });
    anchorAccesses();
    forEachTile([&](Value value) {
      if (!layoutOf(value))
        choose(value,
               gpu::accessLayout(tensorOf(value).getShape(), 16 / gpu::elementBytes(value.getType()), warpCount));
    });
    commit();
    insertConverts();
    for (tile::LoadOp load : codes)
      gpu::loadWords(load);
  }

  void *leader(Value value) { return same.getOrInsertLeaderValue(value.getAsOpaquePointer()); }
  const Layout *layoutOf(Value value) {
    auto it = chosen.find(leader(value));
    return it == chosen.end() ? nullptr : &it->second;
  }
  void choose(Value value, const Layout &layout) {
    if (chosen.insert({leader(value), layout}).second)
      fresh.push_back(leader(value));
    spread();
  }
  void join(Value x, Value y) {
    if (isTile(x) && isTile(y))
      same.unionSets(x.getAsOpaquePointer(), y.getAsOpaquePointer());
  }

  template <class Visit> void forEachTile(Visit visit) {
    getOperation()->walk([&](Operation *op) {
      for (Region &region : op->getRegions())
        for (Block &block : region)
          for (Value argument : block.getArguments())
            if (isTile(argument))
              visit(argument);
      for (Value result : op->getResults())
        if (isTile(result))
          visit(result);
    });
  }

  // Constants, splats and positions cost less to make again than to move: every use gets its own.
  void cloneCheap() {
    SmallVector<Operation *> cheap;
    getOperation()->walk([&](Operation *op) {
      if (op->getNumResults() == 1 && isTile(op->getResult(0)) &&
          isa<arith::ConstantOp, tile::SplatOp, tile::IotaOp>(op))
        cheap.push_back(op);
    });
    for (Operation *op : cheap) {
      bool first = true;
      for (OpOperand &use : llvm::make_early_inc_range(op->getResult(0).getUses())) {
        if (std::exchange(first, false))
          continue;
        OpBuilder b(op);
        use.set(b.clone(*op)->getResult(0));
      }
    }
  }

  void joinGroups() {
    forEachTile([&](Value value) { leader(value); });
    getOperation()->walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op)
          .Case<scf::ForOp>([&](scf::ForOp loop) {
            for (auto [init, argument, yielded, result] :
                 llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getYieldedValues(), loop.getResults())) {
              join(init, argument);
              join(yielded, argument);
              join(result, argument);
            }
          })
          .Case<tile::DotOp>([&](tile::DotOp dot) { join(dot.getAcc(), dot.getResult()); })
          .Case<tile::LoadOp>([&](tile::LoadOp load) {
            if (load.getMask())
              join(load.getMask(), load.getResult());
          })
          .Case<tile::StoreOp, tile::AtomicAddOp>([&](auto store) {
            if (store.getMask())
              join(store.getMask(), store.getValue());
          })
          .Case<tile::ScanOp>([&](tile::ScanOp scan) { join(scan.getValue(), scan.getResult()); })
          .Default([&](Operation *other) {
            if (!other->hasTrait<OpTrait::Elementwise>())
              return;
            for (Value operand : other->getOperands())
              join(operand, other->getResult(0));
          });
    });
  }

  // Whether the value is made element by element of another dot's result. Warps that own whole rows of both products
  // then hand their own elements on, and a reduction along a row stays inside a warp.
  static bool feedsOn(Value value) {
    SmallVector<Value> open{value};
    llvm::SmallDenseSet<Value> seen;
    while (!open.empty()) {
      Value next = open.pop_back_val();
      Operation *op = next.getDefiningOp();
      if (!op || !seen.insert(next).second)
        continue;
      if (isa<tile::DotOp>(op))
        return true;
      if (op->hasTrait<OpTrait::Elementwise>())
        llvm::append_range(open, op->getOperands());
    }
    return false;
  }

  // Warps that share rows of weights make the same values of them. That costs less than that all warps read all of the
  // activations up to so much work on a code: modelled on an a100, q4_0 (3) 7.8 us so and 8.9 otherwise, q5_1 (5) 10.4
  // and 8.9, q4_k (7) 12.0 and 9.5.
  static constexpr int64_t workTwice = 4;
  // A product of codes is turned, and each of the four lanes that share a row takes a run of its k: a word of codes, or
  // two.
  Layout lhsOf(tile::DotOp dot, const gpu::MmaOp &mma, const Layout &acc) {
    int64_t depth = tensorOf(dot.getLhs()).getDimSize(1);
    return gpu::isTurned(dot) ? gpu::rhsLayout(mma, acc.transposed(), depth, depth / 4).transposed()
                              : gpu::lhsLayout(mma, acc, depth);
  }
  Layout rhsOf(tile::DotOp dot, const gpu::MmaOp &mma, const Layout &acc) {
    int64_t depth = tensorOf(dot.getLhs()).getDimSize(1);
    return gpu::isTurned(dot) ? gpu::lhsLayout(mma, acc.transposed(), depth, depth / 4).transposed()
                              : gpu::rhsLayout(mma, acc, depth);
  }
  // Turns a product of codes, where an operation of that kind takes it and nothing is added to it that is none. Null if
  // not.
  const gpu::MmaOp *turn(tile::DotOp dot, ArrayRef<tile::DotOp> dots) {
    bool alone = llvm::all_of(dots, [&](tile::DotOp other) {
      return leader(other.getResult()) != leader(dot.getResult()) || gpu::codesBehind(other);
    });
    if (!alone || !gpu::codesBehind(dot))
      return nullptr;
    dot->setAttr(gpu::turnedAttr, UnitAttr::get(&getContext()));
    const gpu::MmaOp *mma = gpu::chooseMma(*row, dot);
    if (mma && mma->matrix())
      return mma;
    dot->removeAttr(gpu::turnedAttr);
    return nullptr;
  }

  bool anchorDots() {
    SmallVector<tile::DotOp> dots;
    getOperation()->walk([&](tile::DotOp dot) { dots.push_back(dot); });
    bool chained = llvm::any_of(dots, [](tile::DotOp dot) { return feedsOn(dot.getLhs()); });
    bool reduces = false;
    getOperation()->walk([&](Operation *op) { reduces |= isa<tile::ReduceOp, tile::ArgMaxOp, tile::ScanOp>(op); });
    // Loads on their way through registers leave room for fewer fragments: a narrow part of the rows has the fewest.
    gpu::WarpSplit split = reduces || !row->has("cp_async") ? gpu::WarpSplit::rowsFirst : gpu::WarpSplit::square;
    for (tile::DotOp dot : dots) {
      const gpu::MmaOp *mma = gpu::chooseMma(*row, dot);
      if (!mma) {
        dot.emitError() << "no matrix operation of target " << StringRef(row->name.data(), row->name.size())
                        << " multiplies these types";
        return false;
      }
      if (const gpu::MmaOp *turned = mma->matrix() ? turn(dot, dots) : nullptr) {
        int64_t shape[] = {tensorOf(dot.getRhs()).getDimSize(1), tensorOf(dot.getLhs()).getDimSize(0)};
        auto how = gpu::workOnCodes(dot) > workTwice ? gpu::WarpSplit::rowsOnly : gpu::WarpSplit::square;
        choose(dot.getResult(), gpu::accLayout(*turned, shape, warpCount, how, gpu::rowsOfWords(dot)).transposed());
        choose(dot.getRhs(), rhsOf(dot, *turned, *layoutOf(dot.getResult())));
        continue;
      }
      bool warpgroups = gpu::chooseWgmma(*row, dot, warpCount);
      Layout layout = gpu::accLayout(*mma, tensorOf(dot.getResult()).getShape(), warpCount,
                                     warpgroups || (chained && mma->matrix()) ? gpu::WarpSplit::rowsOnly : split);
      choose(dot.getResult(), layout);
      if (warpgroups && *layoutOf(dot.getResult()) == layout)
        dot->setAttr(gpu::wgmmaAttr, UnitAttr::get(&getContext()));
    }
    return true;
  }

  // Carries new layouts over reductions, broadcasts, reshapes and transposes, to groups that have none yet.
  void spread() {
    while (!fresh.empty()) {
      void *group = fresh.pop_back_val();
      Layout layout = chosen.find(group)->second;
      SmallVector<Value> members;
      for (auto it = same.findLeader(group); it != same.member_end(); ++it)
        members.push_back(Value::getFromOpaquePointer(*it));
      for (Value member : members) {
        if (Operation *op = member.getDefiningOp())
          carryToOperands(op, layout);
        for (Operation *user : member.getUsers())
          carryToResult(user, member, layout);
      }
    }
  }
  void offer(Value value, const std::optional<Layout> &layout) {
    if (layout && chosen.insert({leader(value), *layout}).second)
      fresh.push_back(leader(value));
  }
  void carryToOperands(Operation *op, const Layout &layout) {
    llvm::TypeSwitch<Operation *>(op)
        .Case<tile::BroadcastOp>([&](tile::BroadcastOp broadcast) {
          offer(broadcast.getValue(), beforeBroadcast(layout, tensorOf(broadcast.getValue()).getShape()));
        })
        .Case<tile::ReshapeOp>([&](tile::ReshapeOp reshape) {
          offer(reshape.getValue(), layout.reshaped(tensorOf(reshape.getValue()).getShape()));
        })
        .Case<tile::TransOp>([&](tile::TransOp trans) { offer(trans.getValue(), layout.transposed()); })
        .Case<tile::LoadOp>([&](tile::LoadOp load) {
          for (const tile::AxisAccess &axis : tile::axesOf(load))
            if (axis.kind == tile::Subscript::each)
              offer(axis.index, gatherLayout(layout, axis.tileAxis));
        });
  }
  void carryToResult(Operation *user, Value operand, const Layout &layout) {
    llvm::TypeSwitch<Operation *>(user)
        .Case<tile::ReduceOp, tile::ArgMaxOp>(
            [&](auto reduce) { offer(reduce.getResult(), layout.sliced(int(reduce.getAxis()))); })
        .Case<tile::ReshapeOp>([&](tile::ReshapeOp reshape) {
          offer(reshape.getResult(), layout.reshaped(tensorOf(reshape.getResult()).getShape()));
        })
        .Case<tile::TransOp>([&](tile::TransOp trans) { offer(trans.getResult(), layout.transposed()); })
        .Case<tile::StoreOp>([&](tile::StoreOp store) {
          for (const tile::AxisAccess &axis : tile::axesOf(store))
            if (axis.kind == tile::Subscript::each && store.getValue() == operand)
              offer(axis.index, gatherLayout(layout, axis.tileAxis));
        });
  }
  // Of the positions along one axis that the threads of a layout need.
  static Layout gatherLayout(Layout layout, int axis) {
    for (int d = layout.rank() - 1; d >= 0; --d)
      if (d != axis) {
        layout = layout.sliced(d).dropped(d);
        axis -= d < axis;
      }
    return layout;
  }

  // Larger tiles first: they decide how the small ones that they are combined with lie.
  void anchorAccesses() {
    struct Access {
      Value value;
      int64_t vector;
    };
    SmallVector<Access> accesses;
    getOperation()->walk([&](Operation *op) {
      Value value;
      if (auto load = dyn_cast<tile::LoadOp>(op))
        value = load.getResult();
      else if (auto store = dyn_cast<tile::StoreOp>(op))
        value = store.getValue();
      auto load = dyn_cast<tile::LoadOp>(op);
      if (value && isTile(value))
        accesses.push_back(
            {value, load && gpu::readsColumns(load) ? 16 / gpu::elementBytes(value.getType()) : gpu::widestAccess(op)});
    });
    llvm::stable_sort(accesses, [](const Access &x, const Access &y) {
      return tensorOf(x.value).getNumElements() > tensorOf(y.value).getNumElements();
    });
    for (const Access &access : accesses) {
      if (layoutOf(access.value))
        continue;
      int64_t vector = access.vector;
      for (const Access &other : accesses)
        if (leader(other.value) == leader(access.value))
          vector = std::max(vector, other.vector);
      ArrayRef<int64_t> shape = tensorOf(access.value).getShape();
      auto load = access.value.getDefiningOp<tile::LoadOp>();
      if (load && gpu::readsColumns(load)) {
        bool aligned = getOperation()->hasAttr(tile::alignedAttr);
        choose(access.value, gpu::accessLayout({shape[1], shape[0]}, aligned ? vector : 1, warpCount).transposed());
        continue;
      }
      choose(access.value, gpu::accessLayout(shape, vector, warpCount));
    }
  }

  void commit() {
    forEachTile([&](Value value) { setType(value, *layoutOf(value)); });
  }
  static void setType(Value value, const Layout &layout) {
    auto type = tile::withLayout(tensorOf(value), layout);
    if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
      auto splat = cast<SplatElementsAttr>(constant.getValue());
      constant.setValueAttr(DenseElementsAttr::get(type, splat.getSplatValue<Attribute>()));
    }
    value.setType(type);
  }

  // Makes the operand come in that layout. A convert goes before the casts that feed it: narrow elements move.
  void want(OpOperand &operand, const Layout &layout) {
    Value value = operand.get();
    if (tile::layoutOf(tensorOf(value)) == layout)
      return;
    SmallVector<Operation *> casts;
    while (isa_and_nonnull<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::SIToFPOp, arith::UIToFPOp>(
               value.getDefiningOp()) &&
           value.hasOneUse()) {
      casts.push_back(value.getDefiningOp());
      value = casts.back()->getOperand(0);
    }
    OpBuilder b(operand.getOwner());
    b.setInsertionPointAfterValue(value); // beside the definition: outside the loops it is constant in
    Location loc = value.getLoc();
    value = tile::ConvertOp::create(b, loc, tile::withLayout(tensorOf(value), layout), value);
    for (Operation *cast : llvm::reverse(casts)) {
      cast->setOperand(0, value);
      cast->moveAfter(value.getDefiningOp());
      setType(cast->getResult(0), layout);
      value = cast->getResult(0);
    }
    operand.set(value);
  }

  void insertConverts() {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops)
      llvm::TypeSwitch<Operation *>(op)
          .Case<tile::DotOp>([&](tile::DotOp dot) {
            const gpu::MmaOp &mma = *gpu::chooseMma(*row, dot);
            Layout acc = tile::layoutOf(tensorOf(dot.getResult()));
            Layout lhs = lhsOf(dot, mma, acc), rhs = rhsOf(dot, mma, acc);
            if (!mma.matrix() && readsPanels(dot)) {
              readAs(dot.getLhs(), lhs);
              readAs(dot.getRhs(), rhs);
            } else if (!mma.matrix() && mma.k == 1) {
              lhs = gpu::withNeighboursAlong(lhs, 1, 16 / unwidened(dot.getLhs()).second);
              if (auto [isTransposed, bytes] = unwidened(dot.getRhs()); isTransposed)
                rhs = gpu::withNeighboursAlong(rhs, 0, 16 / bytes);
            }
            bool inRegisters = !gpu::isWgmma(dot) || feedsOn(dot.getLhs());
            inRegisters ? wantOperand(dot.getLhsMutable(), lhs) : wantInShared(dot.getLhsMutable(), lhs);
            gpu::isWgmma(dot) ? wantInShared(dot.getRhsMutable(), rhs) : wantOperand(dot.getRhsMutable(), rhs);
          })
          .Case<tile::ReduceOp, tile::ArgMaxOp>([&](auto reduce) {
            yieldAs(reduce, tile::layoutOf(tensorOf(reduce.getValue())).sliced(int(reduce.getAxis())));
          })
          .Case<tile::BroadcastOp>([&](tile::BroadcastOp broadcast) {
            want(broadcast.getValueMutable(), beforeBroadcast(tile::layoutOf(tensorOf(broadcast.getResult())),
                                                              tensorOf(broadcast.getValue()).getShape()));
          })
          .Case<tile::TransOp>([&](tile::TransOp trans) {
            want(trans.getValueMutable(), tile::layoutOf(tensorOf(trans.getResult())).transposed());
          })
          .Case<tile::ReshapeOp>([&](tile::ReshapeOp reshape) {
            if (auto source =
                    tile::layoutOf(tensorOf(reshape.getResult())).reshaped(tensorOf(reshape.getValue()).getShape()))
              want(reshape.getValueMutable(), *source);
          })
          .Case<tile::LoadOp>([&](tile::LoadOp load) {
            if (isTile(load.getResult()))
              wantGathers(load, tile::layoutOf(tensorOf(load.getResult())));
          })
          .Case<tile::StoreOp>([&](tile::StoreOp store) {
            if (!isTile(store.getValue()))
              return;
            storeWidely(store);
            wantGathers(store, tile::layoutOf(tensorOf(store.getValue())));
          });
  }

  // Few rows against panels, decoding's products, multiplied by the threads: lanes own rows of the panel, which lie
  // side by side, and share nothing that shared memory could save. A row of the activations is the same for all lanes,
  // one request.
  static constexpr int64_t fewRows = 2;
  static tile::LoadOp loadBehind(Value value) {
    while (value.hasOneUse() &&
           isa_and_nonnull<tile::TransOp, arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    auto load = value.getDefiningOp<tile::LoadOp>();
    bool plain = load && value.hasOneUse() && !load.getMask();
    for (const tile::AxisAccess &axis : plain ? tile::axesOf(load) : SmallVector<tile::AxisAccess>())
      plain &= axis.kind != tile::Subscript::each;
    return plain ? load : tile::LoadOp();
  }
  static bool readsPanels(tile::DotOp dot) {
    tile::LoadOp lhs = loadBehind(dot.getLhs()), rhs = loadBehind(dot.getRhs());
    return lhs && rhs && tensorOf(dot.getLhs()).getDimSize(0) <= fewRows && tile::packedFormat(rhs.getView().getType());
  }
  // Whether an operand is the transpose of what it was made of, as that lies in memory, and the bytes of an element
  // before it was widened.
  static std::pair<bool, int64_t> unwidened(Value operand) {
    bool transposed = false;
    while (Operation *op = operand.getDefiningOp()) {
      if (!isa<arith::ExtFOp, tile::TransOp>(op))
        break;
      transposed ^= isa<tile::TransOp>(op);
      operand = op->getOperand(0);
    }
    auto load = operand.getDefiningOp<tile::LoadOp>();
    return {transposed && !(load && gpu::readsColumns(load)), gpu::elementBytes(operand.getType())};
  }
  // Gives a value and what it was made of, up to its load, the layout in which it is wanted.
  static void readAs(Value value, Layout layout) {
    for (;; value = value.getDefiningOp()->getOperand(0)) {
      setType(value, layout);
      if (value.getDefiningOp<tile::LoadOp>())
        return;
      if (value.getDefiningOp<tile::TransOp>())
        layout = layout.transposed();
    }
  }

  // The operand of a dot; through a transpose, which only renames, what is converted is what memory was read as.
  void wantOperand(OpOperand &operand, const Layout &layout) {
    auto trans = operand.get().getDefiningOp<tile::TransOp>();
    if (gpu::turnColumns(operand) || !trans || !operand.get().hasOneUse()) {
      want(operand, layout);
      return;
    }
    wantOperand(trans.getValueMutable(), layout.transposed());
    setType(trans.getResult(), layout);
  }

  // What wgmma reads itself: converted last, as it is multiplied.
  static void wantInShared(OpOperand &operand, const Layout &layout) {
    bool turned = gpu::turnColumns(operand);
    Value value = operand.get();
    if (auto trans = value.getDefiningOp<tile::TransOp>(); trans && value.hasOneUse() && !turned) {
      wantInShared(trans.getValueMutable(), layout.transposed());
      setType(trans.getResult(), layout);
      return;
    }
    OpBuilder b(operand.getOwner());
    b.setInsertionPointAfterValue(value);
    operand.set(tile::ConvertOp::create(b, value.getLoc(), tile::withLayout(tensorOf(value), layout), value));
  }

  template <class Op> void yieldAs(Op op, const Layout &layout) {
    auto type = tile::withLayout(tensorOf(op.getResult()), layout);
    if (type == op.getType())
      return;
    OpBuilder b(op);
    b.setInsertionPointAfter(op);
    auto converted = tile::ConvertOp::create(b, op.getLoc(), op.getType(), op.getResult());
    op.getResult().setType(type);
    op.getResult().replaceAllUsesExcept(converted.getResult(), converted);
  }

  void wantGathers(Operation *op, const Layout &layout) {
    for (const tile::AxisAccess &axis : tile::axesOf(op))
      if (axis.kind == tile::Subscript::each)
        for (OpOperand &operand : op->getOpOperands())
          if (operand.get() == axis.index)
            want(operand, gatherLayout(layout, axis.tileAxis));
  }

  // An accumulator's layout writes a few bytes a thread; a large tile goes through shared memory to wide writes.
  void storeWidely(tile::StoreOp store) {
    if (store.getMask() || tensorOf(store.getValue()).getNumElements() < 32 * warpCount * 4)
      return;
    Layout have = tile::layoutOf(tensorOf(store.getValue()));
    int64_t vector = gpu::widestAccess(store);
    Layout wide = gpu::accessLayout(tensorOf(store.getValue()).getShape(), vector, warpCount);
    if (gpu::contiguous(have) < vector && gpu::contiguous(wide) > gpu::contiguous(have))
      want(store.getValueMutable(), wide);
  }
};

} // namespace
