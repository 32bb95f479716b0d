#include "compiler/passes/inside.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/cpu/mma.h"
#include "compiler/tile/access.h"

namespace tessera {
#define GEN_PASS_DEF_TILELOOPDOTS
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// Instructions of an unrolled dot, its transposes included, beyond which a loop over k takes its place. The largest
// dots of a GEMM's own loop stay whole: 12 rows x 2 vectors x 8 k.
constexpr int64_t mostUnrolled = 192;
// Instructions a step of such a loop takes at most, unless one transposed square alone has more.
constexpr int64_t mostAStep = 96;

// dot(lhs, rhs, acc) -> for k in 0..K by s { acc = dot(lhs[:, k..k+s], rhs[k..k+s, :], acc) }
// k ascends as before, so no bit changes. A slice of what was loaded is loaded in the loop, where it is used; any other
// operand goes through scratch memory, once, where it was made.
struct LoopDots : tessera::impl::TileLoopDotsBase<LoopDots> {
  using Base::Base;
  const Target *chip = nullptr;
  llvm::DenseMap<Value, Value> scratches; // of values that lie in one already

  void runOnOperation() override {
    chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    scratches.clear();
    SmallVector<tile::DotOp> dots;
    getOperation()->walk([&](tile::DotOp dot) { dots.push_back(dot); });
    for (tile::DotOp dot : dots)
      if (int64_t step = stepOf(dot))
        makeLoop(dot, step);
  }

  static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

  // Whether the operand is transposed by shuffles: panels of packed weights lie transposed in memory.
  static bool isTransposed(Value value) {
    while (isCast(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    auto trans = value.getDefiningOp<tile::TransOp>();
    return trans && !isPackedLoad(trans.getValue());
  }

  static bool isCast(Operation *op) {
    return isa_and_nonnull<arith::ExtFOp, arith::SIToFPOp, arith::UIToFPOp>(op) && op->hasOneUse();
  }

  // How many k a step takes; 0: the dot stays as it is.
  int64_t stepOf(tile::DotOp dot) const {
    const cpu::MmaOp *mma = cpu::chooseMma(*chip, dot);
    if (!mma)
      return 0;
    int64_t m = shapeOf(dot.getLhs())[0], k = shapeOf(dot.getLhs())[1], n = shapeOf(dot.getRhs())[1],
            lanes = cpu::lanes(*chip), vectors = (n + lanes - 1) / lanes, each = m * vectors;
    bool transposed = isTransposed(dot.getRhs());
    int64_t rounds = transposed ? llvm::Log2_64(uint64_t(lanes)) : 0;
    auto instructions = [&](int64_t of) { return each * of / mma->depth + of * vectors * rounds; };
    if (instructions(k) <= mostUnrolled)
      return 0;
    // Whole squares where a transpose is sliced, whole operations of the row always.
    int64_t least = transposed ? lanes : mma->depth, step = least;
    while (instructions(2 * step) <= mostAStep && k % (2 * step) == 0)
      step *= 2;
    return k % step == 0 && step < k ? step : 0;
  }

  void makeLoop(tile::DotOp dot, int64_t step) {
    OpBuilder b(dot);
    Location loc = dot.getLoc();
    auto index = [&](int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); };
    Value zero = index(0), end = index(shapeOf(dot.getLhs())[1]), by = index(step);
    auto loop = scf::ForOp::create(b, loc, zero, end, by, dot.getAcc());
    b.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    Value lhs = slice(b, dot.getLhs(), 1, k, step), rhs = slice(b, dot.getRhs(), 0, k, step);
    auto part = cast<tile::DotOp>(b.clone(*dot));
    part->setOperands({lhs, rhs, loop.getRegionIterArg(0)});
    scf::YieldOp::create(b, loc, part.getResult());
    SmallVector<Value> operands{dot.getLhs(), dot.getRhs()};
    dot.replaceAllUsesWith(loop.getResult(0));
    dot.erase();
    for (Value operand : operands)
      eraseUnused(operand);
  }

  static void eraseUnused(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !op->use_empty() ||
        !isa<tile::LoadOp, tile::TransOp, arith::ExtFOp, arith::SIToFPOp, arith::UIToFPOp>(op))
      return;
    SmallVector<Value> operands(op->getOperands());
    op->erase();
    for (Value operand : operands)
      eraseUnused(operand);
  }

  // Elements [at, at + size) along `axis` of a matrix.
  Value slice(OpBuilder &b, Value value, int axis, Value at, int64_t size) {
    if (canSlice(value, axis))
      return sliceOf(b, value, axis, at, size);
    Value view = scratchOf(value);
    SmallVector<int32_t> kinds(2, int32_t(tile::Subscript::all));
    kinds[axis] = int32_t(tile::Subscript::whole);
    SmallVector<int64_t> sizes(shapeOf(value));
    sizes[axis] = size;
    Type type = RankedTensorType::get(sizes, cast<RankedTensorType>(value.getType()).getElementType());
    return tile::LoadOp::create(b, value.getLoc(), type, view, ValueRange{at}, Value(), Value(), Value(), kinds, sizes,
                                {});
  }

  // Whether the value is loaded for this dot alone, from memory that nobody writes, by accesses that take a part of an
  // axis as readily as all of it.
  static bool canSlice(Value value, int axis) {
    Operation *op = value.getDefiningOp();
    if (!op || !op->hasOneUse())
      return false;
    if (isCast(op))
      return canSlice(op->getOperand(0), axis);
    if (auto trans = dyn_cast<tile::TransOp>(op))
      return canSlice(trans.getValue(), 1 - axis);
    auto load = dyn_cast<tile::LoadOp>(op);
    if (!load || load.getMask() || !isInput(load.getView()))
      return false;
    const PackedFormat *format = tile::packedFormat(load.getView().getType());
    if (format && !format->isValues())
      return false;
    return llvm::all_of(tile::axesOf(load), [&](const tile::AxisAccess &access) {
      return access.tileAxis != axis || access.kind != tile::Subscript::each;
    });
  }

  static bool isInput(Value view) {
    auto argument = dyn_cast<BlockArgument>(view);
    auto kernel = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : nullptr;
    auto access = kernel ? kernel.getArgAttrOfType<StringAttr>(argument.getArgNumber(), tile::accessAttr) : nullptr;
    return access && access.getValue() == "in";
  }

  static Value sliceOf(OpBuilder &b, Value value, int axis, Value at, int64_t size) {
    Operation *op = value.getDefiningOp();
    Location loc = op->getLoc();
    SmallVector<int64_t> shape(shapeOf(value));
    shape[axis] = size;
    auto type = RankedTensorType::get(shape, cast<RankedTensorType>(value.getType()).getElementType());
    if (auto trans = dyn_cast<tile::TransOp>(op))
      return tile::TransOp::create(b, loc, type, sliceOf(b, trans.getValue(), 1 - axis, at, size));
    if (isCast(op)) {
      OperationState state(loc, op->getName().getStringRef(), {sliceOf(b, op->getOperand(0), axis, at, size)}, {type},
                           op->getAttrs());
      return b.create(state)->getResult(0);
    }
    auto load = cast<tile::LoadOp>(op);
    SmallVector<Value> subscripts;
    SmallVector<int32_t> kinds(load.getKinds());
    SmallVector<int64_t> sizes(load.getSizes());
    for (auto [number, access] : llvm::enumerate(tile::axesOf(load))) {
      Value origin = access.index;
      if (access.tileAxis == axis) {
        origin = origin ? arith::AddIOp::create(b, loc, origin, at).getResult() : at;
        kinds[number] = int32_t(access.kind == tile::Subscript::all ? tile::Subscript::whole : access.kind);
        sizes[number] = size;
      }
      if (origin)
        subscripts.push_back(origin);
      if (access.bound)
        subscripts.push_back(access.bound);
    }
    return tile::LoadOp::create(b, loc, type, load.getView(), subscripts, Value(), Value(), Value(), kinds, sizes,
                                load.getComponentAttr());
  }

  // A view of scratch memory that holds the value from where it was made on.
  Value scratchOf(Value value) {
    Value &view = scratches[value];
    if (view)
      return view;
    OpBuilder b(value.getContext());
    b.setInsertionPointAfterValue(value);
    auto type = cast<RankedTensorType>(value.getType());
    view = tile::ScratchOp::create(b, value.getLoc(),
                                   tile::ViewType::get(b.getContext(), type.getShape(), type.getElementType()));
    SmallVector<int32_t> kinds(2, int32_t(tile::Subscript::all));
    tile::StoreOp::create(b, value.getLoc(), value, view, ValueRange{}, Value(), kinds,
                          SmallVector<int64_t>(type.getShape()));
    return view;
  }
};

} // namespace
