#include "compiler/target/gpu/shape.h"
#include "compiler/layout/algebra.h"
#include "compiler/lower/memory_order.h"
#include "compiler/passes/inside.h"
#include "compiler/tile/access.h"
#include "compiler/tile/layouts.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

using namespace mlir;

namespace tessera::gpu {

int64_t elementBytes(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isIndex() ? 8 : std::max<int64_t>(element.getIntOrFloatBitWidth() / 8, 1);
}

static int64_t powerBelow(int64_t value) {
  int64_t power = 1;
  while (power * 2 <= value)
    power *= 2;
  return power;
}

// Whether the value is made element by element of a dot's result.
static bool isMadeOfDot(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<tile::DotOp>(op))
    return op != nullptr;
  return op->hasTrait<OpTrait::Elementwise>() && llvm::any_of(op->getOperands(), isMadeOfDot);
}

int defaultWarps(func::FuncOp kernel) {
  int64_t accumulators = 0, vectors = 0, chainedRows = 0;
  kernel.walk([&](Operation *op) {
    if (auto dot = dyn_cast<tile::DotOp>(op)) {
      auto type = cast<RankedTensorType>(dot.getType());
      accumulators = std::max(accumulators, type.getNumElements());
      if (isMadeOfDot(dot.getLhs()))
        chainedRows = std::max(chainedRows, type.getDimSize(0));
    }
    for (Value value : {isa<tile::LoadOp>(op)    ? op->getResult(0)
                        : isa<tile::StoreOp>(op) ? op->getOperand(0)
                                                 : Value()})
      if (value)
        if (auto tile = dyn_cast<RankedTensorType>(value.getType()))
          vectors = std::max(vectors, tile.getNumElements() * elementBytes(tile) / 16);
  });
  // A product of a product has two accumulators and what lies between: 16 rows a warp.
  if (chainedRows >= 128)
    return 8;
  // 32 accumulators a thread up to four warps, 128 from there on; without a dot one 16-byte access a thread.
  if (accumulators)
    return int(accumulators >= 32 * 1024 ? 8 : powerBelow(std::clamp<int64_t>(accumulators / 1024, 1, 4)));
  return int(powerBelow(std::clamp<int64_t>(vectors / 32, 1, 8)));
}

int64_t knownAlignment(Operation *access) {
  tile::ViewType view = tile::viewOf(access);
  auto kernel = access->getParentOfType<func::FuncOp>();
  auto argument = dyn_cast<BlockArgument>(access->getOperand(isa<tile::StoreOp, tile::AtomicAddOp>(access) ? 1 : 0));
  if (tile::packedFormat(view))
    return 1;
  int64_t bytes = elementBytes(view.getElementType());
  if (!argument || !kernel->hasAttr(tile::alignedAttr))
    return bytes;
  // base + sum of index * stride: every term's divisor, in elements. Before the last axis any index may come.
  int64_t align = 16 / std::min<int64_t>(bytes, 16), stride = 1;
  auto extents = kernel.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), tile::extentsAttr);
  auto axes = tile::axesOf(access);
  for (int axis = int(axes.size()) - 1; axis >= 0; --axis) {
    const tile::AxisAccess &a = axes[axis];
    bool last = axis + 1 == int(axes.size()), gathered = a.kind == tile::Subscript::each;
    int64_t index = gathered ? 1 : a.index ? knownDivisor(a.index) : 0; // 0: starts at 0
    align = std::gcd(align, last || a.kind == tile::Subscript::point ? index * stride : stride);
    int64_t extent = 1;
    if (auto name = dyn_cast<StringAttr>(extents[axis])) {
      for (BlockArgument other : kernel.getArguments())
        if (kernel.getArgAttrOfType<StringAttr>(other.getArgNumber(), tile::dimAttr) == name)
          extent = knownDivisor(other);
    } else {
      extent = cast<IntegerAttr>(extents[axis]).getInt();
    }
    stride *= std::max<int64_t>(extent, 1);
  }
  return std::gcd<int64_t>(align * bytes, 16);
}

int64_t widestAccess(Operation *access) {
  Type element = tile::viewOf(access).getElementType();
  auto axes = tile::axesOf(access);
  if (const Panel *panel = tile::panelOf(tile::viewOf(access))) {
    // Values lie with their rows side by side, and a thread takes four columns of a row all the same: it writes them
    // to shared memory, or to an output, in one access. Rows first would cost a store for each.
    constexpr int64_t columnsOfValues = 4;
    return panel->format.isValues() ? columnsOfValues : contiguous(memoryOrder(access));
  }
  if (axes.empty() || axes.back().tileAxis < 0 || axes.back().kind == tile::Subscript::each)
    return 1;
  return std::max<int64_t>(knownAlignment(access) / elementBytes(element), 1);
}

int64_t accessVector(Operation *access, const Layout &layout) {
  bool masked = false;
  llvm::TypeSwitch<Operation *>(access).Case<tile::LoadOp, tile::StoreOp, tile::AtomicAddOp, tile::CopyOp>(
      [&](auto op) { masked = bool(op.getMask()); });
  if (masked || layout.rank() == 0)
    return 1;
  int64_t most = std::min(contiguous(layout), widestAccess(access));
  tile::AxisAccess last = tile::axesOf(access).back();
  if (last.kind == tile::Subscript::range)
    while (most > 1 && (knownDivisor(last.bound) % most || knownDivisor(last.index) % most))
      most /= 2;
  return most;
}

Layout accessLayout(ArrayRef<int64_t> shape, int64_t vector, int warps) {
  Layout out;
  size_t rank = shape.size();
  Coordinate used(rank, 1);
  auto room = [&](size_t d) { return shape[d] % (2 * used[d]) == 0; };
  auto take = [&](std::vector<Coordinate> &bases, size_t d) {
    Coordinate basis(rank, 0);
    basis[d] = used[d];
    used[d] *= 2;
    bases.push_back(basis);
  };
  int64_t elements = 1;
  for (int64_t extent : shape)
    elements *= extent;
  vector = std::min(vector, std::max<int64_t>(elements / (32 * warps), 1)); // idle threads help nobody
  while (rank && used[rank - 1] < vector && room(rank - 1))
    take(out.reg, rank - 1);
  int64_t covered = 8 * (rank ? used[rank - 1] : 1);
  int bits = 5, warpBits = 0;
  for (int w = warps; w > 1; w /= 2)
    ++warpBits;
  for (int bit = 0; bit < bits + warpBits; ++bit) {
    auto &bases = bit < bits ? out.lane : out.warp;
    size_t axis = rank;
    if (rank && room(rank - 1) && used[rank - 1] < covered)
      axis = rank - 1;
    for (size_t d = rank; axis == rank && d-- > 0;)
      if (d + 1 < rank && room(d))
        axis = d;
    if (axis == rank && rank && room(rank - 1))
      axis = rank - 1;
    if (axis == rank)
      bases.push_back(Coordinate(rank, 0));
    else
      take(bases, axis);
  }
  for (size_t d = 0; d < rank; ++d)
    out.rep.push_back(shape[d] / used[d]);
  return out;
}

int64_t contiguous(const Layout &layout) {
  int last = layout.rank() - 1;
  return last < 0 ? 1 : together(layout, along(&Layout::reg, last, layout.block().back(), layout.rank()), &Layout::reg);
}

} // namespace tessera::gpu
