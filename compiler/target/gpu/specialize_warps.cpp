// Warp specialisation: where a loop multiplies by wgmma what it copies from tensors, one more warp does the copying. It
// brings boxes by tensor maps (TMA) into a ring; a pair of mbarriers a slot says when it is full and when it is empty.
//
//   producer, one thread                          consumers
//   step i  wait until slot i is empty            wait until slot i is full; wgmma on it;
//           expect its bytes; start the copies    wait for the wgmma of step i - 1; its slot is empty
//
// The consumers' first step has none before it, and says so of the last slot: for that one the producer counts a phase
// more.
// What the kernel does beside stays with the consumers; the producer repeats the scalars that it needs. Where a ring is
// filled more than once, by a loop in a loop or by program after program of a persistent block, slots and phases go on
// where they were: the producer is ahead by what the ring holds, and so an epilogue runs beside the next loads.
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/grid.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/rings.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/roles.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

namespace tessera {
#define GEN_PASS_DEF_TILESPECIALIZEWARPS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using gpu::Ring, gpu::ringOf, gpu::Staged;

namespace {

constexpr int64_t registersOfSm = 65536, producerRegisters = 40, mostRegisters = 240;

struct SpecializeWarps : tessera::impl::TileSpecializeWarpsBase<SpecializeWarps> {
  using Base::Base;
  SmallVector<Ring> rings;
  SmallVector<tile::AllocOp> buffers; // one for each operand of a ring
  tile::AllocOp barriers;
  int64_t slots = 0;
  bool persistent = false;
  bool goesOn = false;       // a ring is used more than once: slots and phases are remembered from one use to the next
  Operation *last = nullptr; // program: what comes before it is done by all warps

  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    func::FuncOp kernel = getOperation();
    rings.clear(), buffers.clear();
    slots = stages ? stages : chip->gpu.stages;
    goesOn = persistent = kernel->hasAttr(gpu::persistentAttr);
    if (!chip->has("tma") || !kernel->hasAttr(tile::alignedAttr) || slots < 2)
      return;
    SmallVector<scf::ForOp> loops;
    kernel.walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops) {
      std::optional<Ring> ring = ringOf(loop, kernel);
      if (!ring || llvm::any_of(rings, [&](Ring &whole) { return joinRest(whole, *ring); }))
        continue;
      if (!llvm::all_of(rings, [&](const Ring &other) { return haveSameSlots(other, *ring); }))
        continue;
      goesOn |= ring->loop->getParentOfType<scf::ForOp>() ||
                llvm::any_of(rings, [&](const Ring &other) { return !gpu::areExclusive(other.loop, ring->loop); });
      rings.push_back(*ring);
    }
    if (rings.empty() || !fits(*chip))
      return;
    // Slots that go from ring to ring are freed by one rule.
    if (goesOn && !llvm::all_of(rings, [](const Ring &ring) { return bool(ring.dot); }))
      for (Ring &ring : rings)
        ring.dot = {};
    split();
    for (Ring &ring : rings)
      consume(ring);
  }

  // The step that tile-peel-loops left over needs no masks: beyond the tensors are zeros. It becomes one of the loop's.
  static bool joinRest(Ring &whole, Ring &rest) {
    auto same = [](Operation &x, Operation &y) { return x.getName() == y.getName(); };
    Block &body = *whole.loop.getBody(), &other = *rest.loop.getBody();
    if (rest.loop.getLowerBound() != whole.loop.getUpperBound() || rest.loop.getStep() != whole.loop.getStep() ||
        !llvm::equal(rest.loop.getInitArgs(), whole.loop.getResults()) ||
        !llvm::all_of(whole.loop.getResults(), [](Value result) { return result.hasOneUse(); }) ||
        !llvm::equal(body, other, same) || whole.staged.size() != rest.staged.size())
      return false;
    for (auto [a, b] : llvm::zip(whole.staged, rest.staged))
      if (a.box.map != b.box.map || a.box.limit || b.box.limit)
        return false;
    whole.loop.setUpperBound(rest.loop.getUpperBound());
    rest.loop.getResults().replaceAllUsesWith(whole.loop.getResults());
    rest.loop.erase();
    return true;
  }

  // Rings with the same operands share slots and barriers.
  static bool haveSameSlots(const Ring &x, const Ring &y) {
    if (x.staged.size() != y.staged.size())
      return false;
    for (auto [a, b] : llvm::zip(x.staged, y.staged))
      if (tile::AllocOp(a.alloc).getType() != tile::AllocOp(b.alloc).getType())
        return false;
    return true;
  }

  // Buffers of the epilogue come after the ring and may take its place, unless the ring goes on.
  bool fits(const tessera::Target &chip) {
    int64_t slot = 0, before = 128 + (goesOn ? besideRings(getOperation().getBody().front()) : 0);
    for (Staged &staged : rings.front().staged)
      slot += (gpu::slotBytes(staged.alloc.getType()) + 1023) / 1024 * 1024;
    while (slots > 1 && before + slots * slot > chip.gpu.sharedBytes)
      --slots;
    return slots > 1;
  }
  // Bytes of the block's other buffers, of one of two branches.
  int64_t besideRings(Block &block) {
    auto inRing = [&](Operation &op) {
      return llvm::any_of(rings, [&](Ring &ring) {
        return llvm::any_of(ring.staged, [&](Staged &staged) { return staged.alloc == &op; });
      });
    };
    int64_t bytes = 0;
    for (Operation &op : block) {
      if (auto alloc = dyn_cast<tile::AllocOp>(op); alloc && !inRing(op))
        bytes += (gpu::bufferBytes(alloc.getType()) + 1023) / 1024 * 1024;
      SmallVector<int64_t, 2> each{0};
      for (Region &region : op.getRegions())
        each.push_back(region.empty() ? 0 : besideRings(region.front()));
      bytes += *llvm::max_element(each);
    }
    return bytes;
  }

  void split() {
    func::FuncOp kernel = getOperation();
    Block &body = kernel.getBody().front();
    if (persistent)
      programsFirst(body);
    last = nullptr;
    for (auto program : body.getOps<tile::ProgramOp>())
      last = program;
    SmallVector<Operation *> rest;
    for (auto it = last ? std::next(last->getIterator()) : body.begin(); &*it != body.getTerminator(); ++it)
      rest.push_back(&*it);
    OpBuilder b(rest.front());
    Location loc = rings.front().loop.getLoc();
    for (Staged &staged : rings.front().staged) {
      tile::SharedType one = staged.alloc.getType();
      buffers.push_back(tile::AllocOp::create(
          b, loc, tile::SharedType::get(one.getContext(), slots, one.getShape(), one.getElementType()), IntegerAttr()));
    }
    barriers = tile::AllocOp::create(b, loc, tile::SharedType::get(&getContext(), 1, {2 * slots}, b.getI64Type()),
                                     IntegerAttr());
    barriers->setAttr(tile::keptAttr, b.getUnitAttr());
    tile::InitBarriersOp::create(b, loc, barriers, slots);
    Value producer = tile::IsProducerOp::create(b, loc, b.getI1Type(), false);
    auto roles = scf::IfOp::create(b, loc, producer, /*withElseRegion=*/true);

    int64_t warps = kernel->getAttrOfType<IntegerAttr>(tile::warpsAttr).getInt(), producers = warps > 4 ? 4 : 1;
    b.setInsertionPointToStart(roles.thenBlock());
    if (producers == 4)
      tile::SetRegistersOp::create(b, loc, producerRegisters, false);
    auto elected =
        scf::IfOp::create(b, loc, tile::IsProducerOp::create(b, loc, b.getI1Type(), true), /*withElseRegion=*/false);
    b.setInsertionPointToStart(elected.thenBlock());
    begin(b, loc, {0, 1});
    produce(body, b, IRMapping());

    b.setInsertionPointToStart(roles.elseBlock());
    if (producers == 4) {
      int64_t left = registersOfSm - 128 * producerRegisters;
      tile::SetRegistersOp::create(b, loc, std::min(left / (32 * warps) / 8 * 8, mostRegisters), true);
    }
    begin(b, loc, {0, 0, slots - 1});
    for (Operation *op : rest)
      op->moveBefore(b.getInsertionBlock()->getTerminator());
    kernel->setAttr(tile::producersAttr, b.getI64IntegerAttr(producers));
  }

  // What follows the programs' numbers belongs to one program.
  static void programsFirst(Block &body) {
    SmallVector<tile::ProgramOp> programs(body.getOps<tile::ProgramOp>());
    for (tile::ProgramOp program : llvm::reverse(programs)) {
      program->moveBefore(&body, body.begin());
      if (Operation *bound = program.getBound().getDefiningOp())
        bound->moveBefore(program);
    }
  }

  // A role begins: with what it remembers, and with the loop over the programs of a persistent block, which `b` then
  // stands in.
  void begin(OpBuilder &b, Location loc, ArrayRef<int64_t> state) {
    for (auto [number, value] : llvm::enumerate(goesOn ? state : ArrayRef<int64_t>()))
      tile::RememberOp::create(b, loc, constant(b, loc, value), number);
    if (!persistent)
      return;
    auto walk = tile::WalkOp::create(b, loc, b.getIndexType(), b.getIndexType(), b.getIndexType());
    auto loop = scf::ForOp::create(b, loc, walk.getFirst(), walk.getEnd(), walk.getStep());
    b.setInsertionPointToStart(loop.getBody());
    tile::EnterOp::create(b, loc, loop.getInductionVar());
  }
  Value stateOf(OpBuilder &b, Location loc, int64_t number, int64_t first) {
    return goesOn ? tile::RecallOp::create(b, loc, b.getI32Type(), number).getResult() : constant(b, loc, first);
  }
  void keepState(OpBuilder &b, Location loc, ValueRange state) {
    for (auto [number, value] : llvm::enumerate(state))
      if (goesOn)
        tile::RememberOp::create(b, loc, value, number);
  }

  // The value again, for the producer. What comes before the roles part is there already.
  Value again(Value value, OpBuilder &b, IRMapping &map) {
    if (Value known = map.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (!op || isa<tile::ProgramOp>(op))
      return value;
    if (last && op->getBlock() == last->getBlock() && op->isBeforeInBlock(last))
      return value;
    for (Value operand : op->getOperands())
      map.map(operand, again(operand, b, map));
    return b.clone(*op, map)->getResult(cast<OpResult>(value).getResultNumber());
  }

  bool holdsRing(Region &region) {
    return llvm::any_of(rings, [&](Ring &ring) { return region.isAncestor(ring.loop->getParentRegion()); });
  }

  // Each scope has its own map: what is computed in a branch is not seen behind it.
  void produce(Block &block, OpBuilder &b, IRMapping map) {
    for (Operation &op : block) {
      auto ring = llvm::find_if(rings, [&](Ring &r) { return r.loop == &op; });
      if (ring != rings.end())
        produceSteps(*ring, b, map);
      else if (auto loop = dyn_cast<scf::ForOp>(op); loop && holdsRing(loop.getRegion()))
        produceLoop(loop, b, map);
      auto branch = dyn_cast<scf::IfOp>(op);
      if (!branch || (!holdsRing(branch.getThenRegion()) && !holdsRing(branch.getElseRegion())))
        continue;
      bool otherwise = holdsRing(branch.getElseRegion());
      auto made = scf::IfOp::create(b, op.getLoc(), again(branch.getCondition(), b, map), otherwise);
      OpBuilder inner = OpBuilder::atBlockBegin(made.thenBlock());
      produce(*branch.thenBlock(), inner, map);
      if (otherwise) {
        inner.setInsertionPointToStart(made.elseBlock());
        produce(*branch.elseBlock(), inner, map);
      }
    }
  }

  void produceLoop(scf::ForOp loop, OpBuilder &b, IRMapping map) {
    auto made = scf::ForOp::create(b, loop.getLoc(), again(loop.getLowerBound(), b, map),
                                   again(loop.getUpperBound(), b, map), again(loop.getStep(), b, map));
    map.map(loop.getInductionVar(), made.getInductionVar());
    OpBuilder inner = OpBuilder::atBlockBegin(made.getBody());
    produce(*loop.getBody(), inner, map);
  }

  void produceSteps(Ring &ring, OpBuilder &b, IRMapping map) {
    Location loc = ring.loop.getLoc();
    Value lower = again(ring.loop.getLowerBound(), b, map), upper = again(ring.loop.getUpperBound(), b, map),
          step = again(ring.loop.getStep(), b, map);
    // Nobody has filled a slot yet: the phase before the first counts as complete.
    SmallVector<Value> start{stateOf(b, loc, 0, 0), stateOf(b, loc, 1, 1)};
    auto made = scf::ForOp::create(
        b, loc, lower, upper, step, start, [&](OpBuilder &inner, Location, Value at, ValueRange state) {
          map.map(ring.loop.getInductionVar(), at);
          Value index = state[0], parity = state[1];
          tile::AwaitOp::create(inner, loc, barriers, index, parity, slots);
          int64_t bytes = 0;
          for (Staged &staged : ring.staged) {
            auto type = cast<RankedTensorType>(staged.load.getType());
            bytes += type.getNumElements() * gpu::elementBytes(type);
          }
          tile::ExpectOp::create(inner, loc, barriers, index, bytes);
          for (auto [staged, buffer] : llvm::zip(ring.staged, buffers)) {
            SmallVector<Value> origin;
            for (Value position : staged.box.origin)
              origin.push_back(position ? again(position, inner, map)
                                        : arith::ConstantIndexOp::create(inner, loc, 0).getResult());
            tile::TensorCopyOp::create(inner, staged.load.getLoc(), gpu::mapNumber(getOperation(), staged.box.map),
                                       origin, buffer, slotOf(inner, loc, index, buffer), barriers, index);
          }
          auto [nextIndex, nextParity] = following(inner, loc, index, parity, ring.dot ? slots - 1 : 0);
          scf::YieldOp::create(inner, loc, ValueRange{nextIndex, nextParity});
        });
    b.setInsertionPointAfter(made);
    keepState(b, loc, made.getResults());
  }

  static Value constant(OpBuilder &b, Location loc, int64_t value) {
    return arith::ConstantIntOp::create(b, loc, b.getI32Type(), value);
  }
  static Value slotOf(OpBuilder &b, Location loc, Value index, tile::AllocOp buffer) {
    return arith::MulIOp::create(b, loc, index, constant(b, loc, gpu::slotBytes(buffer.getType())));
  }
  // Slot and parity of the next step: parity changes where slot `changing` comes.
  std::pair<Value, Value> following(OpBuilder &b, Location loc, Value index, Value parity, int64_t changing) {
    auto is = [&](Value slot, int64_t number) -> Value {
      return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, slot, constant(b, loc, number));
    };
    Value next = arith::AddIOp::create(b, loc, index, constant(b, loc, 1)), over = is(next, slots);
    Value changed = arith::XOrIOp::create(b, loc, parity, constant(b, loc, 1));
    return {arith::SelectOp::create(b, loc, over, constant(b, loc, 0), next),
            arith::SelectOp::create(b, loc, changing ? is(next, changing) : over, changed, parity)};
  }

  // In the last steps the box has rows that the load would have left out.
  static void clearRows(OpBuilder &b, Staged &staged, tile::AllocOp buffer, Value index) {
    b.setInsertionPoint(staged.load);
    Location loc = staged.load.getLoc();
    int64_t rows = cast<RankedTensorType>(staged.load.getType()).getDimSize(0);
    Value left = arith::SubIOp::create(b, loc, staged.box.limit, staged.box.row);
    Value some =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, left, arith::ConstantIndexOp::create(b, loc, rows));
    auto branch = scf::IfOp::create(b, loc, some, /*withElseRegion=*/false);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    Value from = arith::MaxSIOp::create(b, loc, left, arith::ConstantIndexOp::create(b, loc, 0));
    tile::ClearRowsOp::create(b, loc, buffer, slotOf(b, loc, index, buffer), from);
    tile::BarrierOp::create(b, loc)->setAttr(gpu::proxyAttr, b.getUnitAttr());
  }

  void consume(Ring &ring) {
    IRRewriter b(&getContext());
    Location loc = ring.loop.getLoc();
    b.setInsertionPoint(ring.loop);
    SmallVector<Value> first{stateOf(b, loc, 0, 0), stateOf(b, loc, 1, 0)};
    if (ring.dot)
      first.push_back(stateOf(b, loc, 2, slots - 1));
    Value index, parity, freed;
    auto made = ring.loop.replaceWithAdditionalYields(b, first, /*replaceInitOperandUsesInLoop=*/false,
                                                      [&](OpBuilder &inner, Location, ArrayRef<BlockArgument> added) {
                                                        index = added[0], parity = added[1],
                                                        freed = ring.dot ? Value(added[2]) : index;
                                                        auto [nextIndex, nextParity] =
                                                            following(inner, loc, index, parity, 0);
                                                        SmallVector<Value> next{nextIndex, nextParity};
                                                        if (ring.dot)
                                                          next.push_back(index);
                                                        return next;
                                                      });
    ring.loop = cast<scf::ForOp>(made->getOperation());
    b.setInsertionPointToStart(ring.loop.getBody());
    tile::AwaitOp::create(b, loc, barriers, index, parity, 0);
    for (auto [staged, buffer] : llvm::zip(ring.staged, buffers)) {
      if (staged.box.limit)
        clearRows(b, staged, buffer, index);
      b.setInsertionPoint(staged.read);
      staged.read.getBufferMutable().assign(buffer);
      staged.read.getSlotMutable().assign(slotOf(b, loc, index, buffer));
      staged.store.erase();
      staged.load.erase();
      staged.alloc.erase();
    }
    // What the loop reads beside its ring is there before it: no barrier in every step.
    bool reads = false;
    for (auto read : ring.loop.getBody()->getOps<tile::SharedLoadOp>())
      reads |= !llvm::is_contained(buffers, read.getBuffer().getDefiningOp<tile::AllocOp>());
    if (reads) {
      b.setInsertionPoint(ring.loop);
      tile::BarrierOp::create(b, loc)->setAttr(gpu::proxyAttr, b.getUnitAttr());
    }
    b.setInsertionPoint(ring.loop.getBody()->getTerminator());
    if (ring.dot) // the wgmma of the step before is waited for behind this step's
      ring.dot->setAttr(tile::pendingAttr, b.getI64IntegerAttr(1));
    tile::ArriveOp::create(b, loc, barriers, freed, slots);
    b.setInsertionPointAfter(ring.loop);
    keepState(b, loc, ring.loop.getResults().take_back(first.size()));
    if (ring.dot) {
      Value sums = ring.loop.getResult(ring.sums);
      auto settled = tile::SettleOp::create(b, loc, sums.getType(), sums);
      sums.replaceAllUsesExcept(settled.getResult(), settled);
    }
    ring.loop.emitRemark() << "specialized: a warp copies " << ring.staged.size() << " operands by tensor maps, "
                           << slots << " slots";
  }
};

} // namespace
