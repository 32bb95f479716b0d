// Barriers, and what producing and consuming warps say to each other: mbarriers, copies by tensor maps, registers.
// PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier", "cp.async.bulk.tensor", "setmaxnreg".
#include "compiler/target/gpu/inline_asm.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/roles.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tessera::gpu {

int64_t GpuLowering::consumers() { return 32 * kernel->getAttrOfType<IntegerAttr>(tile::warpsAttr).getInt(); }

// Of the threads that compute: where others only copy, those do not take part.
void GpuLowering::blockBarrier() {
  if (!kernel->hasAttr(tile::producersAttr)) {
    intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", {}, {constantI32(0)});
    return;
  }
  intrinsic("llvm.nvvm.barrier.cta.sync.aligned.count", {}, {constantI32(1), constantI32(consumers())});
}

// Writes become visible to wgmma and the copy engine where a barrier says so.
void GpuLowering::lowerBarrier(tile::BarrierOp op) {
  if (op->hasAttr(proxyAttr))
    statement(b, op.getLoc(), "fence.proxy.async.shared::cta;");
  if (op->hasAttr(storesReadAttr))
    statement(b, op.getLoc(), "cp.async.bulk.wait_group.read 0;"); // of the thread that has any
  blockBarrier();
}

// The address of mbarrier number `index`, an i32: as many bytes behind it is the buffer's offset.
Value GpuLowering::barrierAt(Location loc, Value index) {
  Value base = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), sharedBase);
  return index ? computed(b, loc, "mad.lo.s32 $0, $1, 8, $2;", {index, base}, "=r,r,r") : base;
}
static std::string behind(Value barriers, int64_t first) {
  return "[$0+" + std::to_string(*barriers.getDefiningOp<tile::AllocOp>().getOffset() + 8 * first) + "]";
}

void GpuLowering::lowerInitBarriers(tile::InitBarriersOp op) {
  Location loc = op.getLoc();
  Value first = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, thread, constantI32(0));
  auto branch = scf::IfOp::create(b, loc, first, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard restore(b);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    int64_t stages = op.getStages();
    for (int64_t i = 0; i < 2 * stages; ++i)
      statement(b, loc, "mbarrier.init.shared::cta.b64 " + behind(op.getBarriers(), i) + ", $1;",
                {barrierAt(loc, {}), constantI32(i < stages ? 1 : consumers())}, "r,r");
    statement(b, loc, "fence.mbarrier_init.release.cluster;");
  }
  intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", {}, {constantI32(0)});
}

// Calls `copy` for each panel of a buffer with the panel's bytes from the first and the coordinates of its box, as text
// and behind `operands`. Coordinates count from the fastest axis.
void GpuLowering::forEachPanel(tile::SharedType buffer, ValueRange origin, ArrayRef<Value> operands,
                               llvm::function_ref<void(int64_t, StringRef, SmallVector<Value>)> copy) {
  ArrayRef<int64_t> shape = buffer.getShape();
  int64_t panels = shape.size() == 3 ? shape[0] : 1;
  int64_t bytes = shape[shape.size() - 2] * shape.back() * elementBytes(buffer.getElementType());
  for (int64_t panel = 0; panel < panels; ++panel) {
    SmallVector<Value> all(operands);
    std::string text;
    for (Value position : llvm::reverse(origin)) {
      Value at = arith::TruncIOp::create(b, b.getUnknownLoc(), b.getI32Type(), scalar(position));
      if (text.empty())
        at = arith::AddIOp::create(b, b.getUnknownLoc(), at, constantI32(panel * shape.back()));
      text += (text.empty() ? "{$" : ", $") + std::to_string(all.size());
      all.push_back(at);
    }
    copy(panel * bytes, text + "}", all);
  }
}

static std::string coordinateConstraints(size_t count) {
  std::string text;
  while (count--)
    text += ",r";
  return text;
}

void GpuLowering::lowerTensorCopy(tile::TensorCopyOp op) {
  Location loc = op.getLoc();
  size_t rank = op.getOrigin().size();
  Value to = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), bufferBase(op.getBuffer()));
  to = arith::AddIOp::create(b, loc, to, scalar(op.getSlot()));
  Value barrier = arith::AddIOp::create(b, loc, barrierAt(loc, scalar(op.getIndex())),
                                        constantI32(*op.getBarriers().getDefiningOp<tile::AllocOp>().getOffset()));
  std::string name = "cp.async.bulk.tensor." + std::to_string(rank) +
                     "d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, ";
  forEachPanel(op.getBuffer().getType(), op.getOrigin(), {to, tensorMaps[op.getMap()], barrier},
               [&](int64_t bytes, StringRef coordinates, SmallVector<Value> operands) {
                 operands[0] = arith::AddIOp::create(b, loc, to, constantI32(bytes));
                 statement(b, loc, name + coordinates.str() + "], [$2];", operands,
                           "r,l,r" + coordinateConstraints(rank));
               });
}

// The first thread starts one copy for each panel, all of one group.
void GpuLowering::lowerTensorStore(tile::TensorStoreOp op) {
  Location loc = op.getLoc();
  size_t rank = op.getOrigin().size();
  Value from = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), bufferBase(op.getBuffer()));
  Value first = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, thread, constantI32(0));
  auto branch = scf::IfOp::create(b, loc, first, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard restore(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  std::string name = "cp.async.bulk.tensor." + std::to_string(rank) + "d.global.shared::cta.bulk_group [$1, ";
  forEachPanel(op.getBuffer().getType(), op.getOrigin(), {from, tensorMaps[op.getMap()]},
               [&](int64_t bytes, StringRef coordinates, SmallVector<Value> operands) {
                 operands[0] = arith::AddIOp::create(b, loc, from, constantI32(bytes));
                 statement(b, loc, name + coordinates.str() + "], [$0];", operands,
                           "r,l" + coordinateConstraints(rank));
               });
  statement(b, loc, "cp.async.bulk.commit_group;");
  storesBoxes = true;
}

// 16 bytes a thread at a time. The swizzle moves them within their row.
void GpuLowering::lowerClearRows(tile::ClearRowsOp op) {
  Location loc = op.getLoc();
  tile::SharedType buffer = op.getBuffer().getType();
  ArrayRef<int64_t> shape = buffer.getShape();
  constexpr int64_t chunk = Swizzle::chunkBytes;
  int64_t perRow = shape.back() * elementBytes(buffer.getElementType()) / chunk, rows = shape[shape.size() - 2];
  int64_t chunks = slotBytes(buffer) / chunk, threads = consumers();
  Value to = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), bufferBase(op.getBuffer()));
  to = arith::AddIOp::create(b, loc, to, scalar(op.getSlot()));
  to = arith::AddIOp::create(b, loc, to, arith::MulIOp::create(b, loc, thread, constantI32(chunk)));
  Value from = arith::TruncIOp::create(b, loc, b.getI32Type(), scalar(op.getFrom()));
  for (int64_t first = 0; first < chunks; first += threads) {
    Value number = arith::AddIOp::create(b, loc, thread, constantI32(first));
    Value row =
        arith::RemUIOp::create(b, loc, arith::DivUIOp::create(b, loc, number, constantI32(perRow)), constantI32(rows));
    Value clear = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, row, from);
    if (first + threads > chunks)
      clear = arith::AndIOp::create(
          b, loc, clear, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, number, constantI32(chunks)));
    statement(b, loc, "@$2 st.shared.v4.b32 [$0+" + std::to_string(first * chunk) + "], {$1, $1, $1, $1};",
              {to, constantI32(0), clear}, "r,r,b");
  }
}

LogicalResult GpuLowering::lowerRole(Operation *op) {
  Location loc = op->getLoc();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::IsProducerOp>([&](tile::IsProducerOp x) {
        auto is = x.getElected() ? arith::CmpIPredicate::eq : arith::CmpIPredicate::uge;
        registers[x] = {arith::CmpIOp::create(b, loc, is, thread, constantI32(consumers()))};
        return success();
      })
      .Case<tile::InitBarriersOp>([&](auto x) { return lowerInitBarriers(x), success(); })
      .Case<tile::AwaitOp>([&](tile::AwaitOp x) {
        statement(b, loc,
                  "{ .reg .pred done; again: mbarrier.try_wait.parity.shared::cta.b64 done, " +
                      behind(x.getBarriers(), x.getFirst()) + ", $1; @!done bra again; }",
                  {barrierAt(loc, scalar(x.getIndex())), scalar(x.getParity())}, "r,r");
        return success();
      })
      .Case<tile::ExpectOp>([&](tile::ExpectOp x) {
        statement(b, loc,
                  "mbarrier.arrive.expect_tx.shared::cta.b64 _, " + behind(x.getBarriers(), 0) + ", " +
                      std::to_string(x.getBytes()) + ";",
                  barrierAt(loc, scalar(x.getIndex())), "r");
        return success();
      })
      .Case<tile::ArriveOp>([&](tile::ArriveOp x) {
        statement(b, loc, "mbarrier.arrive.shared::cta.b64 _, " + behind(x.getBarriers(), x.getFirst()) + ";",
                  barrierAt(loc, scalar(x.getIndex())), "r");
        return success();
      })
      .Case<tile::TensorCopyOp>([&](auto x) { return lowerTensorCopy(x), success(); })
      .Case<tile::WalkOp>([&](auto x) { return lowerWalk(x); })
      .Case<tile::EnterOp>([&](auto x) { return lowerEnter(x); })
      .Case<tile::RememberOp>([&](tile::RememberOp x) {
        LLVM::StoreOp::create(b, loc, scalar(x.getValue()), remembered(x.getNumber()), 4);
        return success();
      })
      .Case<tile::RecallOp>([&](tile::RecallOp x) {
        registers[x] = {LLVM::LoadOp::create(b, loc, b.getI32Type(), remembered(x.getNumber()), 4)};
        return success();
      })
      .Case<tile::TensorStoreOp>([&](auto x) { return lowerTensorStore(x), success(); })
      .Case<tile::ClearRowsOp>([&](auto x) { return lowerClearRows(x), success(); })
      .Case<tile::SettleOp>([&](auto x) { return lowerSettle(x), success(); })
      .Case<tile::SetRegistersOp>([&](tile::SetRegistersOp x) {
        statement(b, loc,
                  std::string("setmaxnreg.") + (x.getMore() ? "inc" : "dec") + ".sync.aligned.u32 " +
                      std::to_string(x.getCount()) + ";");
        return success();
      })
      .Default([](Operation *other) { return other->emitOpError("has no lowering to a GPU"); });
}

} // namespace tessera::gpu
