// Software pipelining: what a loop stages in shared memory for its dots is brought there steps ahead, into the slots of
// a ring. Where the chip copies asynchronously and a thread's vectors allow it, step i starts the copies of step
// i + slots - 1; other tiles are loaded into registers at the head of step i and stored to the other of two slots at
// its end, for step i + 1.
//
//   asynchronous                                            through registers
//   before  copy steps 0 .. slots - 2, a group each         load and store step 0
//   step i  wait for group i; read slot i;                  load step i + 1; read slot i; dot;
//           copy step i + slots - 1; commit; dot            store step i + 1
//
// Barriers come later, from tile-insert-barriers: one a step, between the wait (or the store of the step before) and
// the first read. The copies stand behind that read, so that they meet no reader of the slot that they fill.
#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/load_ahead.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/register_limit.h"
#include "compiler/target/gpu/repeat.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/tile/access.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace tessera {
#define GEN_PASS_DEF_TILEPIPELINE
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

using gpu::collect, gpu::isRepeatable, gpu::Slice;

// Registers that carried tiles and loads on their way may take together; the rest is for fragments and addresses.
constexpr int64_t registerBudget = 176;

// One buffer that the loop fills and reads in every step.
struct Staged {
  tile::AllocOp alloc;
  tile::SharedStoreOp store;
  SmallVector<tile::SharedLoadOp> reads;
  size_t counter = 0; // which of the loop's counters names its slots
  int64_t slotBytes() const { return gpu::slotBytes(tile::AllocOp(alloc).getType()); }
};

int64_t registersOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? tile::layoutOf(type).registers() : 1;
}

// Whether a dot of the loop multiplies what another dot of the same step made, as attention does.
bool isChained(scf::ForOp loop) {
  SmallVector<Value> open;
  loop.getBody()->walk([&](tile::DotOp dot) { llvm::append_values(open, dot.getLhs(), dot.getRhs()); });
  llvm::SmallDenseSet<Value> seen;
  while (!open.empty()) {
    Value next = open.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (!op || !loop->isProperAncestor(op) || !seen.insert(next).second)
      continue;
    if (isa<tile::DotOp>(op))
      return true;
    llvm::append_range(open, op->getOperands());
    if (auto read = dyn_cast<tile::SharedLoadOp>(op))
      for (Operation *user : read.getBuffer().getUsers())
        if (auto store = dyn_cast<tile::SharedStoreOp>(user))
          open.push_back(store.getValue());
  }
  return false;
}

int64_t loadsIn(const Slice &slice) {
  return llvm::count_if(slice, [](Operation *op) { return isa<tile::LoadOp>(op); });
}

// The one step or none that tile-peel-loops left over.
bool isRest(scf::ForOp loop) {
  auto whole = loop.getLowerBound().getDefiningOp<arith::SubIOp>();
  auto rest = whole ? whole.getRhs().getDefiningOp<arith::RemUIOp>() : arith::RemUIOp();
  return rest && whole.getLhs() == loop.getUpperBound() && rest.getLhs() == loop.getUpperBound() &&
         rest.getRhs() == loop.getStep();
}

// Rewrites one loop.
class LoopPipeline {
public:
  LoopPipeline(scf::ForOp loop, const tessera::Target &chip, int64_t stages)
      : loop(loop), chip(chip), stages(stages), rewriter(loop.getContext()), loc(loop.getLoc()) {}

  void run() {
    findStaged();
    if (isRest(loop))
      return copyInPlace();
    fitSharedMemory();
    if (stages < 2 || (copied.empty() && carried.empty()))
      return;
    limitRegisters();
    rewriter.setInsertionPoint(loop);
    for (SmallVector<Staged> *list : {&copied, &carried})
      for (Staged &staged : *list)
        makeRing(staged, list == &copied ? stages : 2);
    if (!copied.empty())
      startCopies();
    if (!carried.empty())
      storeFirst();
    addCounters();
    if (!copied.empty())
      copyAhead();
    if (!carried.empty())
      carryAhead();
    for (SmallVector<Staged> *list : {&copied, &carried})
      for (Staged &staged : *list) {
        staged.store.erase();
        for (tile::SharedLoadOp read : staged.reads) {
          read.getSlotMutable().assign(counters[staged.counter].now);
          read.setPhase(0);
        }
      }
    eraseDead();
    loop.emitRemark() << "pipelined: " << copied.size() << " operands copied asynchronously " << stages - 1
                      << " steps ahead, " << carried.size() << " through registers one step ahead";
  }

  // The loop as it is now.
  scf::ForOp made() { return loop; }

private:
  // Of rings with slots of so many bytes: where the slot begins that is read in this step, and the one that was read in
  // the step before, which is free and is filled next.
  struct Counter {
    int64_t slots, bytes;
    Value now = {}, free = {};
  };

  scf::ForOp loop;
  const tessera::Target &chip;
  int64_t stages;
  IRRewriter rewriter;
  Location loc;
  SmallVector<Staged> copied, carried;
  SmallVector<Counter> counters;
  Slice addresses;   // of the copies
  Slice early, late; // of what goes through registers: the loads with what they need, and what is made of them

  void findStaged() {
    bool dots = false;
    loop.getBody()->walk([&](tile::DotOp) { dots = true; });
    // Attention's scores, weights and two operands on their way are more than a thread's registers: both variants
    // spilled 320 bytes and more at d = 128 where they had spilled none.
    if (!dots || isChained(loop))
      return;
    int64_t registers = 0;
    for (Value carriedValue : loop.getRegionIterArgs())
      registers += registersOf(carriedValue);
    for (auto store : loop.getBody()->getOps<tile::SharedStoreOp>()) {
      Staged staged{store.getBuffer().getDefiningOp<tile::AllocOp>(), store, {}};
      if (!readsInBody(staged))
        continue;
      if (chip.has("cp_async") && isCopy(staged)) {
        copied.push_back(staged);
        continue;
      }
      Slice before = early, after = late;
      if (sortAhead(staged) && registers + registersOnTheWay() <= registerBudget)
        carried.push_back(staged);
      else
        early = before, late = after;
    }
  }

  bool readsInBody(Staged &staged) {
    if (!staged.alloc || staged.alloc->getBlock() != loop.getBody() || staged.alloc.getType().getSlots() != 1)
      return false;
    for (Operation *user : staged.alloc.getBuffer().getUsers()) {
      auto read = dyn_cast<tile::SharedLoadOp>(user);
      if (read && read->getBlock() == loop.getBody() && staged.store->isBeforeInBlock(read))
        staged.reads.push_back(read);
      else if (user != staged.store)
        return false;
    }
    llvm::sort(staged.reads, [](tile::SharedLoadOp x, tile::SharedLoadOp y) { return x->isBeforeInBlock(y); });
    return !staged.reads.empty();
  }

  // A load that goes nowhere else, in vectors that cp.async moves.
  bool isCopy(Staged &staged) {
    auto load = staged.store.getValue().getDefiningOp<tile::LoadOp>();
    if (!load || !load->hasOneUse() || load.getComponent() || !isRepeatable(load))
      return false;
    auto type = cast<RankedTensorType>(load.getType());
    int64_t bytes = gpu::accessVector(load, tile::layoutOf(type)) * gpu::elementBytes(type);
    bool fits = bytes >= 4 && gpu::swizzleOf(staged.alloc.getType()).pitch() % bytes == 0;
    Slice slice = addresses;
    for (Value operand : load->getOperands())
      fits = fits && collect(operand, loop, slice);
    if (fits)
      addresses = slice;
    return fits;
  }

  // Sorts what makes a stored tile into `early` and `late`. False where it cannot be made ahead.
  bool sortAhead(Staged &staged) {
    Slice slice;
    if (!collect(staged.store.getValue(), loop, slice) || !loadsIn(slice))
      return false;
    for (Operation *op : slice)
      if (isa<tile::LoadOp>(op)) {
        for (Value operand : op->getOperands())
          collect(operand, loop, early);
        early.insert(op);
      }
    for (Operation *op : slice)
      if (!early.contains(op))
        late.insert(op);
    return true;
  }

  // Loads of `early` that are data, not addresses.
  SmallVector<tile::LoadOp> dataAhead() {
    SmallVector<tile::LoadOp> loads;
    for (Operation *op : early)
      if (auto load = dyn_cast<tile::LoadOp>(op);
          load && llvm::none_of(op->getUsers(), [&](Operation *user) { return early.contains(user); }))
        loads.push_back(load);
    return loads;
  }
  int64_t registersOnTheWay() {
    int64_t registers = 0;
    for (tile::LoadOp load : dataAhead())
      if (auto type = dyn_cast<RankedTensorType>(load.getType())) {
        int64_t vector = gpu::accessVector(load, tile::layoutOf(type));
        registers += registersOf(load.getResult()) / vector * ((vector * gpu::elementBytes(type) + 3) / 4);
      }
    return registers;
  }

  // ptxas takes what there is to bring fragments early: 229 registers for 128 x 128 sums of four warps, where 168 do
  // and let a third block into the multiprocessor. Smaller sums leave it no such room. Loads on their way are registers
  // too; more than 32 of them spill under such a bound, and so do sums of bytes.
  void limitRegisters() {
    auto kernel = loop->getParentOfType<func::FuncOp>();
    int64_t sums = 0;
    bool floats = true;
    for (Value value : loop.getRegionIterArgs()) {
      sums += registersOf(value);
      floats &= isa<FloatType>(getElementTypeOrSelf(value.getType()));
    }
    if (sums != 128 || !kernel->hasAttr(tile::alignedAttr) || chip.has("setmaxnreg"))
      return;
    bool throughRegisters = copied.empty() && carried.size() == 2 && floats && registersOnTheWay() <= 32;
    if (carried.empty() || throughRegisters)
      kernel->setAttr(gpu::registerLimitAttr, rewriter.getI64IntegerAttr(sums + (carried.empty() ? 40 : 56)));
  }

  // As many slots as fit beside what the loop holds anyway.
  void fitSharedMemory() {
    int64_t others = 0, slot = 0;
    loop.getBody()->walk([&](tile::AllocOp alloc) { others += gpu::bufferBytes(alloc.getType()); });
    for (Staged &staged : copied)
      slot += staged.slotBytes();
    others -= slot;
    for (Staged &staged : carried)
      others += staged.slotBytes(); // the second slot
    if (others + slot > chip.gpu.sharedBytes)
      carried.clear();
    while (stages > 1 && others + stages * slot > chip.gpu.sharedBytes)
      --stages;
  }

  Value constant(int64_t value) { return arith::ConstantIntOp::create(rewriter, loc, rewriter.getI32Type(), value); }
  Value index(int64_t value) { return arith::ConstantIndexOp::create(rewriter, loc, value); }
  Value isStep(Value at) {
    return arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt, at, loop.getUpperBound());
  }
  // The induction variable `steps` later.
  Value ahead(Value at, int64_t steps) {
    if (steps == 0)
      return at;
    auto step = getConstantIntValue(loop.getStep());
    Value distance =
        step ? index(*step * steps) : arith::MulIOp::create(rewriter, loc, loop.getStep(), index(steps)).getResult();
    return arith::AddIOp::create(rewriter, loc, at, distance);
  }

  void makeRing(Staged &staged, int64_t slots) {
    tile::SharedType one = staged.alloc.getType();
    auto ring = tile::AllocOp::create(
        rewriter, staged.alloc.getLoc(),
        tile::SharedType::get(one.getContext(), slots, one.getShape(), one.getElementType()), IntegerAttr());
    staged.alloc.getBuffer().replaceAllUsesWith(ring.getBuffer());
    staged.alloc.erase();
    staged.alloc = ring;
    int64_t bytes = staged.slotBytes();
    auto same = llvm::find_if(counters, [&](const Counter &c) { return c.slots == slots && c.bytes == bytes; });
    staged.counter = same - counters.begin();
    if (same == counters.end())
      counters.push_back({slots, bytes});
  }

  // The operations again, for the step at `at`.
  void clone(const Slice &slice, Value at, IRMapping &map) {
    map.map(loop.getInductionVar(), at);
    SmallVector<Operation *> order(slice.begin(), slice.end());
    llvm::sort(order, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
    for (Operation *op : order)
      rewriter.clone(*op, map);
  }

  // `slot` gives the beginning of the slot of a ring with that counter.
  void emitCopies(Value at, llvm::function_ref<Value(const Counter &)> slot, int64_t phase, Value when) {
    IRMapping map;
    clone(addresses, at, map);
    for (Staged &staged : copied) {
      auto load = staged.store.getValue().getDefiningOp<tile::LoadOp>();
      SmallVector<Value> subscripts;
      for (Value subscript : load.getSubscripts())
        subscripts.push_back(map.lookupOrDefault(subscript));
      Value mask = load.getMask() ? map.lookupOrDefault(load.getMask()) : Value();
      tile::CopyOp::create(rewriter, load.getLoc(), load.getView(), subscripts, mask, staged.alloc,
                           slot(counters[staged.counter]), when, phase, load.getKinds(), load.getSizes(),
                           load.getType());
    }
  }

  void startCopies() {
    for (int64_t step = 0; step + 1 < stages; ++step) {
      Value at = ahead(loop.getLowerBound(), step);
      auto branch = scf::IfOp::create(rewriter, loc, isStep(at), /*withElseRegion=*/false);
      OpBuilder::InsertionGuard restore(rewriter);
      rewriter.setInsertionPoint(branch.thenBlock()->getTerminator());
      emitCopies(at, [&](const Counter &c) { return constant(step * c.bytes); }, step, {});
      rewriter.setInsertionPointAfter(branch);
      tile::CommitOp::create(rewriter, loc);
      rewriter.setInsertionPoint(loop);
    }
  }

  void emitStores(IRMapping &map, Value at, llvm::function_ref<Value(const Counter &)> slot, int64_t phase) {
    clone(late, at, map);
    for (Staged &staged : carried)
      tile::SharedStoreOp::create(rewriter, staged.store.getLoc(), map.lookupOrDefault(staged.store.getValue()),
                                  staged.alloc, slot(counters[staged.counter]), rewriter.getI64IntegerAttr(phase));
  }

  void storeFirst() {
    Value at = loop.getLowerBound();
    auto branch = scf::IfOp::create(rewriter, loc, isStep(at), /*withElseRegion=*/false);
    OpBuilder::InsertionGuard restore(rewriter);
    rewriter.setInsertionPoint(branch.thenBlock()->getTerminator());
    IRMapping map;
    clone(early, at, map);
    emitStores(map, at, [&](const Counter &) { return constant(0); }, 0);
  }

  // A step that comes once at most is not worth a ring; its copies still save the registers.
  void copyInPlace() {
    if (copied.empty() || stages < 2)
      return;
    rewriter.setInsertionPoint(loop);
    for (Staged &staged : copied)
      makeRing(staged, 1);
    rewriter.setInsertionPoint(firstRead());
    emitCopies(loop.getInductionVar(), [&](const Counter &) { return constant(0); }, 0, {});
    tile::CommitOp::create(rewriter, loc);
    tile::WaitOp::create(rewriter, loc, 0, buffers());
    for (Staged &staged : copied)
      staged.store.erase();
    eraseDead();
  }

  tile::SharedLoadOp firstRead() {
    tile::SharedLoadOp first;
    for (Staged &staged : copied)
      if (!first || staged.reads.front()->isBeforeInBlock(first))
        first = staged.reads.front();
    return first;
  }
  SmallVector<Value> buffers() {
    SmallVector<Value> all;
    for (Staged &staged : copied)
      all.push_back(staged.alloc);
    return all;
  }

  void addCounters() {
    SmallVector<Value> first;
    for (const Counter &counter : counters) {
      first.push_back(constant(0));
      first.push_back(constant((counter.slots - 1) * counter.bytes));
    }
    auto yields = [&](OpBuilder &, Location, ArrayRef<BlockArgument> added) {
      SmallVector<Value> values;
      for (auto [i, counter] : llvm::enumerate(counters)) {
        counter.now = added[2 * i], counter.free = added[2 * i + 1];
        values.push_back(following(counter));
        values.push_back(counter.now);
      }
      return values;
    };
    auto made = loop.replaceWithAdditionalYields(rewriter, first, /*replaceInitOperandUsesInLoop=*/false, yields);
    loop = cast<scf::ForOp>(made->getOperation());
  }

  // The slot after this step's.
  Value following(const Counter &counter) {
    if (counter.slots == 2)
      return counter.free;
    Value next = arith::AddIOp::create(rewriter, loc, counter.now, constant(counter.bytes));
    Value over =
        arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq, next, constant(counter.slots * counter.bytes));
    return arith::SelectOp::create(rewriter, loc, over, constant(0), next);
  }

  // Whether the loop has a step so many after this one.
  Value comes(int64_t steps) {
    OpBuilder::InsertPoint here = rewriter.saveInsertionPoint();
    rewriter.setInsertionPoint(loop);
    Value distance = ahead(index(0), steps);
    Value last = arith::SubIOp::create(rewriter, loc, loop.getUpperBound(), distance);
    rewriter.restoreInsertionPoint(here);
    return arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt, loop.getInductionVar(), last);
  }

  // Addresses that are themselves loaded must be those of a step that comes.
  Value addressStep(Value at, Value when, bool loaded) {
    return loaded ? arith::SelectOp::create(rewriter, loc, when, at, loop.getInductionVar()).getResult() : at;
  }

  // One barrier a step serves what threads store too, where the wait stands before the first read of all.
  void copyAhead() {
    tile::SharedLoadOp first = firstRead();
    for (Staged &staged : carried)
      if (staged.reads.front()->isBeforeInBlock(first))
        first = staged.reads.front();
    rewriter.setInsertionPoint(first);
    tile::WaitOp::create(rewriter, loc, stages - 2, buffers());
    rewriter.setInsertionPointAfter(first);
    Value at = ahead(loop.getInductionVar(), stages - 1), when = comes(stages - 1);
    emitCopies(
        addressStep(at, when, loadsIn(addresses) > 0), [](const Counter &c) { return c.free; }, stages - 1, when);
    tile::CommitOp::create(rewriter, loc);
  }

  void carryAhead() {
    rewriter.setInsertionPointToStart(loop.getBody());
    IRMapping map;
    Value at = ahead(loop.getInductionVar(), 1), when = comes(1);
    Value step = addressStep(at, when, loadsIn(early) > int64_t(dataAhead().size()));
    clone(early, step, map);
    for (tile::LoadOp load : dataAhead())
      map.lookup(load.getResult()).getDefiningOp<tile::LoadOp>().getWhenMutable().assign(when);
    rewriter.setInsertionPoint(loop.getBody()->getTerminator());
    emitStores(map, step, [](const Counter &c) { return c.free; }, 1);
  }

  void eraseDead() {
    SmallVector<Operation *> ops;
    for (Operation &op : loop.getBody()->without_terminator())
      ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops))
      if (op->use_empty() && isRepeatable(op))
        op->erase();
  }
};

struct Pipeline : tessera::impl::TilePipelineBase<Pipeline> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops) {
      LoopPipeline pipeline(loop, *chip, stages ? stages : chip->gpu.stages);
      pipeline.run();
      if (stages != 1)
        gpu::loadAhead(pipeline.made());
    }
  }
};

} // namespace
