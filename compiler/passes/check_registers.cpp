#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/register_limit.h"
#include "compiler/tile/layouts.h"

namespace tessera {
#define GEN_PASS_DEF_TILECHECKREGISTERS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Operations that a thread's code may unroll to, edges and loop ends included; the library's defaults stay below 6000.
constexpr int64_t maxUnrolled = 1 << 14;
// Words of one tile that a thread may hold. It has 255 registers, but an operand that is read from shared memory for a
// dot need not be there all at once; four times that is beyond what the scheduling of loads saves.
constexpr int64_t maxWords = 1024;
// A kernel without products waits for memory, which many warps hide. Where 1024 threads fill a multiprocessor, the
// assembler takes up to 64 registers for it; it keeps to 40 without spills where a thread has no more than this on its
// way and in sums. Where more threads fit, it keeps to 32 or 40 itself.
constexpr int64_t fewRegisters = 40, fewLoaded = 12, fewCarried = 8;

// Known only with layouts: what one thread holds of a tile, and does of an operation.
struct CheckRegisters : tessera::impl::TileCheckRegistersBase<CheckRegisters> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    StringRef name(chip->name.data(), chip->name.size());
    int64_t total = 0, most = 0;
    Operation *longest = nullptr;
    auto walked = getOperation()->walk([&](Operation *op) -> WalkResult {
      int64_t steps = 0;
      for (Type type : op->getResultTypes()) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (!tensor || isa<scf::ForOp, arith::ConstantOp>(op))
          continue;
        Layout layout = tile::layoutOf(tensor);
        int64_t words = (layout.registers() * std::max(8u, tensor.getElementTypeBitWidth()) + 31) / 32;
        if (words > maxWords)
          return op->emitError() << "this tile of " << shapeText(tensor) << " takes " << words
                                 << " registers of each of " << layout.threads() << " threads; target " << name
                                 << " takes " << maxWords;
        steps = layout.registers();
      }
      if (auto dot = dyn_cast<tile::DotOp>(op))
        steps = multiplyAdds(*chip, dot);
      total += steps;
      if (steps > most)
        most = steps, longest = op;
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      return signalPassFailure();
    if (!chip->has("cp_async") && isSmall(getOperation()))
      getOperation()->setAttr(gpu::registerLimitAttr, Builder(&getContext()).getI64IntegerAttr(fewRegisters));
    if (total <= maxUnrolled)
      return;
    longest->emitError() << "this kernel unrolls to " << total << " operations a thread, " << most
                         << " of them here; target " << name << " takes " << maxUnrolled;
    signalPassFailure();
  }

  // Whether no block of a kernel without products, with the blocks around it, loads or carries much a thread.
  static bool isSmall(func::FuncOp kernel) {
    auto elements = [](Value value) {
      auto tensor = dyn_cast<RankedTensorType>(value.getType());
      return tensor ? tile::layoutOf(tensor).registers() : 0;
    };
    auto isLarge = [&](Block *block) {
      int64_t loaded = 0, carried = 0;
      for (; block; block = block->getParentOp() == kernel ? nullptr : block->getParentOp()->getBlock()) {
        for (Value value : block->getArguments())
          carried += elements(value);
        for (tile::LoadOp load : block->getOps<tile::LoadOp>())
          loaded += elements(load.getResult());
      }
      return loaded > fewLoaded || carried > fewCarried;
    };
    return !kernel.walk([](tile::DotOp) { return WalkResult::interrupt(); }).wasInterrupted() &&
           !kernel.walk([&](Block *block) { return isLarge(block) ? WalkResult::interrupt() : WalkResult::advance(); })
                .wasInterrupted();
  }

  // One matrix operation serves all threads of a warp; without one each thread does its own.
  static int64_t multiplyAdds(const Target &chip, tile::DotOp dot) {
    const gpu::MmaOp &mma = *gpu::chooseMma(chip, dot);
    Layout acc = tile::layoutOf(cast<RankedTensorType>(dot.getType()));
    int64_t steps = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1) / mma.k;
    return steps * (mma.matrix() ? acc.rep[0] * acc.rep[1] : acc.registers());
  }
};

} // namespace
