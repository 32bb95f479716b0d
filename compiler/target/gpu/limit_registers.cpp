// A bound for ptxas' registers where a loop multiplies what it has just multiplied, as attention does. Left alone ptxas
// picks a number of blocks a multiprocessor for itself, and spills a few values for one more, or takes what there is to
// bring loads early: 168 registers and 16 bytes here, 207 and none there for the same loop. What such a loop holds can
// be counted; the bound is that and what addresses, fragments and conversions took in the library's kernels.
#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/register_limit.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/layouts.h"
#include "compiler/tile/roles.h"

namespace tessera {
#define GEN_PASS_DEF_TILELIMITREGISTERS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

constexpr int64_t beside = 34;        // addresses, fragments on their way, sums of a step
constexpr int64_t singleLoads = 16;   // more where elements come one by one
constexpr int64_t singles = 8;        // more where elements come one by one
constexpr int64_t smallMatrices = 16; // more where a product takes two operations of half the depth
constexpr int64_t functions = 16;     // more for what a function of the scores keeps
constexpr int64_t threeBlocks = 168;  // of 128 threads in 65536 registers
constexpr int64_t most = 255;

int64_t wordsOf(Value value, bool single = false) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return 0;
  return (tile::layoutOf(type).registers() * (single ? 32 : std::max(8u, type.getElementTypeBitWidth())) + 31) / 32;
}

struct LimitRegisters : tessera::impl::TileLimitRegistersBase<LimitRegisters> {
  using Base::Base;

  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    func::FuncOp kernel = getOperation();
    if (kernel->hasAttr(gpu::registerLimitAttr) || kernel->hasAttr(tile::producersAttr))
      return;
    int64_t need = 0;
    kernel.walk([&](scf::ForOp loop) { need = std::max(need, heldBy(loop)); });
    if (!need)
      return;
    need += beside;
    need += kernel->hasAttr(tile::alignedAttr) ? 0 : singles;
    need += chip->has("cp_async") ? 0 : smallMatrices;
    bool fourWarps = kernel->getAttrOfType<IntegerAttr>(tile::warpsAttr).getInt() == 4;
    need = fourWarps ? std::max(need, threeBlocks) : need;
    kernel->setAttr(gpu::registerLimitAttr, OpBuilder(kernel).getI64IntegerAttr(std::min((need + 7) / 8 * 8, most)));
  }

  // What lives in the middle of a step: what the loop carries, a product that is not carried, the operands that stay,
  // and one load on its way, of which unaligned elements come one by one. 0 where no such product stands in the loop,
  // or where the loop is part of another, whose sums come and go.
  int64_t heldBy(scf::ForOp loop) {
    if (loop->getParentOfType<scf::ForOp>())
      return 0;
    bool single = !getOperation()->hasAttr(tile::alignedAttr);
    int64_t made = 0, load = 0, carried = 0, kept = 0;
    bool sums = false, function = false;
    llvm::SmallDenseSet<Value> outside;
    for (Operation &op : *loop.getBody()) {
      if (auto dot = dyn_cast<tile::DotOp>(op)) {
        // What threads multiply is patches; what wgmma does takes no fragments.
        if (cast<RankedTensorType>(dot.getLhs().getType()).getElementTypeBitWidth() > 16 ||
            dot->hasAttr(gpu::wgmmaAttr))
          return 0;
        bool yielded = llvm::is_contained(loop.getYieldedValues(), dot.getResult());
        sums |= yielded;
        made = std::max(made, yielded ? 0 : wordsOf(dot.getResult()));
        for (Value operand : {dot.getLhs(), dot.getRhs()})
          if (loop.isDefinedOutsideOfLoop(operand) && outside.insert(operand).second)
            kept += wordsOf(operand);
      }
      if (auto fetched = dyn_cast<tile::LoadOp>(op))
        load = std::max(load, wordsOf(fetched.getResult(), single));
      function |= isa<math::MathDialect>(op.getDialect()) && !isa<math::Exp2Op, math::FmaOp>(op);
      function |= isa<arith::AndIOp>(op) && isa<RankedTensorType>(op.getResult(0).getType());
    }
    if (!sums || !made)
      return 0;
    for (Value value : loop.getRegionIterArgs())
      carried += wordsOf(value);
    return carried + made + kept + load + (function ? functions : 0);
  }
};

} // namespace
