// Sums of 8-bit floats: Hopper's tensor cores keep 14 bits of theirs (DeepSeek-AI, "DeepSeek-V3 Technical Report",
// 2024, 3.3.2), so that a long k loses what its products are exact to. They sum a few steps from zero; what comes of
// each such run is added up in f32.
//
//   for k in 0..K by s { sums = dot(a, b, sums) }
//   for r in 0..K by 2 s { part = 0; for k in r..min(r + 2 s, K) by s { part = dot(a, b, part) }; sums = sums + part }
#include "compiler/lower/unread.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace tessera {
#define GEN_PASS_DEF_TILEPROMOTESUMS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Steps of k that are summed as they come.
constexpr int64_t mostSummed = 128;
// A thread holds the sums and the parts.
constexpr int64_t mostRegisters = 64, mostWarps = 8;

struct PromoteSums : tessera::impl::TilePromoteSumsBase<PromoteSums> {
  using Base::Base;
  void runOnOperation() override {
    const tessera::Target *chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    if (!chip->has("short_fp8_sums"))
      return;
    int count = warps ? warps : gpu::defaultWarps(getOperation());
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (tile::DotOp dot = onlyDot(loop); dot && gpu::chooseWgmma(*chip, dot, count))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      auto sums = cast<RankedTensorType>(loop.getResult(0).getType());
      auto step = getConstantIntValue(loop.getStep());
      if (!step)
        continue;
      if (!warps && sums.getNumElements() > 32 * count * mostRegisters) {
        count = mostWarps;
        getOperation()->setAttr(tile::warpsAttr, Builder(&getContext()).getI64IntegerAttr(count));
      }
      if (sums.getNumElements() > 32 * count * mostRegisters) {
        loop.emitRemark() << "sums of 8-bit floats keep 14 bits: beside " << sums.getNumElements() / (32 * count)
                          << " of them a thread has no registers to add them up in f32";
        continue;
      }
      cut(loop, *step);
    }
  }

  // The dot of 8-bit floats whose sums are all that the loop carries.
  static tile::DotOp onlyDot(scf::ForOp loop) {
    if (loop->getNumResults() != 1)
      return {};
    auto dot = loop.getYieldedValues()[0].getDefiningOp<tile::DotOp>();
    Value carried = loop.getRegionIterArg(0);
    bool bytes = dot && isa<Float8E4M3FNType, Float8E5M2Type>(getElementTypeOrSelf(dot.getLhs().getType()));
    return bytes && dot.getAcc() == carried && carried.hasOneUse() && dot->hasOneUse() &&
                   dot->getBlock() == loop.getBody()
               ? dot
               : tile::DotOp();
  }

  static void cut(scf::ForOp loop, int64_t step) {
    OpBuilder b(loop);
    Location loc = loop.getLoc();
    int64_t run = std::max<int64_t>(mostSummed / step, 1) * step;
    Type type = loop.getResult(0).getType();
    Value end = loop.getUpperBound();
    auto runs = scf::ForOp::create(b, loc, loop.getLowerBound(), end, arith::ConstantIndexOp::create(b, loc, run),
                                   loop.getInitArgs());
    loop.getResult(0).replaceAllUsesWith(runs.getResult(0));
    b.setInsertionPointToStart(runs.getBody());
    Value from = runs.getInductionVar();
    Value to = arith::AddIOp::create(b, loc, from, arith::ConstantIndexOp::create(b, loc, run));
    auto nothing = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(type)));
    nothing->setAttr(unreadAttr, b.getUnitAttr());
    loop.getYieldedValues()[0].getDefiningOp()->setAttr(gpu::restartsAttr, b.getUnitAttr());
    loop->moveBefore(runs.getBody(), b.getInsertionPoint());
    loop.setLowerBound(from);
    b.setInsertionPoint(loop);
    loop.setUpperBound(arith::MinUIOp::create(b, loc, to, end));
    loop.getInitArgsMutable().assign(nothing.getResult());
    b.setInsertionPointAfter(loop);
    Value sums = arith::AddFOp::create(b, loc, runs.getRegionIterArg(0), loop.getResult(0));
    scf::YieldOp::create(b, loc, sums);
    loop.emitRemark() << "sums of " << run << " products of 8-bit floats at a time are added up in f32";
  }
};

} // namespace
