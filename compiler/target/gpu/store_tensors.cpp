// Stores by tensor maps: where a tile goes through shared memory on its way to a tensor, one thread lets the copy
// engine write the box (TMA). Rows beyond the tensor are the engine's to leave out, and nobody waits for the writes:
// only before the buffer is written anew, and before the block ends.
//
//   before  store to shared memory, barrier, load from it in wide vectors, write with masks
//   after   store to shared memory, fence, barrier, one thread starts the copy
//
// Interior and edge of a kernel whose loads come by tensor maps too are then the same, and become one.
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/rings.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/access.h"
#include "compiler/tile/roles.h"
#include "mlir/IR/OperationSupport.h"

namespace tessera {
#define GEN_PASS_DEF_TILESTORETENSORS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// shared_store -> buffer -> shared_load -> store
struct Way {
  tile::AllocOp alloc;
  tile::SharedLoadOp read;
  tile::StoreOp store;
};

struct StoreTensors : tessera::impl::TileStoreTensorsBase<StoreTensors> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    if (!chip->has("tma") || !getOperation()->hasAttr(tile::alignedAttr))
      return;
    SmallVector<Way> ways;
    getOperation()->walk([&](tile::StoreOp store) {
      if (std::optional<Way> way = throughShared(store); way && ordersNothing(store))
        ways.push_back(*way);
    });
    for (Way &way : ways)
      storeBox(way);
    joinBranches();
  }

  static std::optional<Way> throughShared(tile::StoreOp store) {
    auto read = store.getValue().getDefiningOp<tile::SharedLoadOp>();
    auto alloc = read && read->hasOneUse() ? read.getBuffer().getDefiningOp<tile::AllocOp>() : tile::AllocOp();
    if (!alloc || store.getMask() || alloc.getType().getSlots() != 1 || read->getBlock() != store->getBlock())
      return std::nullopt;
    for (Operation *user : alloc.getBuffer().getUsers())
      if (auto write = dyn_cast<tile::SharedStoreOp>(user);
          user != read && (!write || write.getValue().getType().getShape() != read.getType().getShape()))
        return std::nullopt;
    return Way{alloc, read, store};
  }

  // What the copy engine writes has no order beside the threads' accesses to the tensor, nor beside its other copies.
  bool ordersNothing(tile::StoreOp store) {
    for (auto loop = store->getParentOfType<scf::ForOp>(); loop; loop = loop->getParentOfType<scf::ForOp>())
      if (!isa<tile::EnterOp>(loop.getBody()->front())) // programs share nothing
        return false;
    return llvm::all_of(store.getView().getUsers(), [&](Operation *user) {
      return user == store || (isa<tile::StoreOp>(user) && gpu::areExclusive(store, user));
    });
  }
  void storeBox(Way &way) {
    auto type = cast<RankedTensorType>(way.store.getValue().getType());
    tile::SharedType have = way.alloc.getType();
    auto buffer = tile::SharedType::get(&getContext(), 1, gpu::panelShape(type), have.getElementType());
    std::optional<gpu::Box> box = gpu::boxOf(way.store, type, buffer);
    if (!box || box->limit)
      return;
    OpBuilder b(way.store);
    Location loc = way.store.getLoc();
    SmallVector<Value> origin;
    for (Value position : box->origin)
      origin.push_back(position ? position : arith::ConstantIndexOp::create(b, loc, 0).getResult());
    for (Operation *user : way.alloc.getBuffer().getUsers())
      if (auto write = dyn_cast<tile::SharedStoreOp>(user))
        flatten(write);
    way.alloc.getBuffer().setType(buffer);
    tile::TensorStoreOp::create(b, loc, gpu::mapNumber(getOperation(), box->map), origin, way.alloc);
    way.store.emitRemark() << "store: a box of " << type.getShape().front()
                           << " rows by a tensor map, from shared memory";
    way.store.erase();
    way.read.erase();
  }

  // Rows under one axis, as the matrices that stmatrix moves have them.
  static void flatten(tile::SharedStoreOp write) {
    auto type = cast<RankedTensorType>(write.getValue().getType());
    int64_t columns = type.getShape().back(), shape[] = {type.getNumElements() / columns, columns};
    std::optional<Layout> layout = tile::layoutOf(type).reshaped(shape);
    if (type.getRank() == 2 || !layout)
      return;
    OpBuilder b(write);
    auto flat = tile::withLayout(RankedTensorType::get(shape, type.getElementType()), *layout);
    write.getValueMutable().assign(tile::ReshapeOp::create(b, write.getLoc(), flat, write.getValue()));
  }

  // Branches that do the same are one.
  void joinBranches() {
    SmallVector<scf::IfOp> branches;
    getOperation()->walk([&](scf::IfOp branch) { branches.push_back(branch); }); // inner ones first
    for (scf::IfOp branch : branches) {
      if (branch->getNumResults() || branch.getElseRegion().empty() ||
          !OperationEquivalence::isRegionEquivalentTo(&branch.getThenRegion(), &branch.getElseRegion(),
                                                      OperationEquivalence::IgnoreLocations))
        continue;
      Block &body = *branch.thenBlock();
      for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
        op.moveBefore(branch);
      branch.erase();
    }
  }
};

} // namespace
