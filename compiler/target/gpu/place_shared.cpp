// Gives every shared buffer its offset. Buffers that do not live at the same time share space.
#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/roles.h"
#include <algorithm>

namespace tessera {
#define GEN_PASS_DEF_TILEPLACESHARED
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

struct PlaceShared : tessera::impl::TilePlaceSharedBase<PlaceShared> {
  using Base::Base;
  struct Buffer {
    tile::AllocOp op;
    int64_t first, last; // operation numbers between which it lives
    int64_t bytes, offset = -1;
    bool isSwizzled = false; // by hardware, which goes by the address
  };

  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    SmallVector<Buffer> buffers = lifetimes();
    // The largest first: small ones fill the gaps.
    SmallVector<Buffer *> order;
    for (Buffer &buffer : buffers)
      order.push_back(&buffer);
    llvm::stable_sort(order, [](Buffer *x, Buffer *y) { return x->bytes > y->bytes; });
    int64_t total = 0;
    for (Buffer *buffer : order) {
      buffer->offset = firstFit(*buffer, buffers);
      total = std::max(total, buffer->offset + buffer->bytes);
      buffer->op.setOffset(buffer->offset);
    }
    if (total > chip->gpu.sharedBytes) {
      std::string_view name = chip->name;
      Operation *largest = order.front()->op;
      largest->emitError() << "this kernel needs " << total << " bytes of shared memory; target "
                           << StringRef(name.data(), name.size()) << " has " << chip->gpu.sharedBytes << " for a block";
      return signalPassFailure();
    }
    getOperation()->setAttr(tile::sharedAttr, IntegerAttr::get(IntegerType::get(&getContext(), 64), total));
  }

  // Operations numbered in program order; a buffer from outside a loop lives to the loop's end.
  SmallVector<Buffer> lifetimes() {
    llvm::DenseMap<Operation *, std::pair<int64_t, int64_t>> number; // of the operation, and of the end of its regions
    int64_t next = 0;
    std::function<void(Operation *)> visit = [&](Operation *op) {
      int64_t begin = next++;
      for (Region &region : op->getRegions())
        for (Block &block : region)
          for (Operation &inner : block)
            visit(&inner);
      number[op] = {begin, next++};
    };
    visit(getOperation());
    SmallVector<Buffer> buffers;
    getOperation()->walk([&](tile::AllocOp op) {
      Buffer buffer{op, number[op].first, number[op].first, gpu::bufferBytes(op.getType())};
      for (Operation *user : op.getBuffer().getUsers()) {
        auto read = dyn_cast<tile::SharedLoadOp>(user);
        buffer.isSwizzled |= isa<tile::TensorStoreOp>(user) || (read && gpu::wgmmaReader(read));
        // Of what runs once, the branches that it is in may go on without the buffer.
        Operation *end = user;
        for (Operation *up = user; up->getBlock() != op->getBlock();) {
          up = up->getParentOp();
          end = isa<scf::ForOp>(up) ? up : end;
        }
        buffer.last = std::max(buffer.last, number[end].second);
      }
      if (op->hasAttr(tile::keptAttr))
        buffer.last = next;
      buffers.push_back(buffer);
    });
    return buffers;
  }

  static int64_t firstFit(const Buffer &buffer, ArrayRef<Buffer> all) {
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (const Buffer &other : all)
      if (other.offset >= 0 && other.first <= buffer.last && buffer.first <= other.last)
        taken.push_back({other.offset, other.offset + other.bytes});
    llvm::sort(taken);
    // The swizzle of what wgmma and the copy engine read goes by the address: eight rows begin at a multiple of their
    // length.
    int64_t at = 0, align = buffer.isSwizzled ? 1024 : 128;
    for (auto [begin, end] : taken) {
      if (begin - at >= buffer.bytes)
        break;
      at = std::max(at, (end + align - 1) / align * align);
    }
    return at;
  }
};

} // namespace
