// Memory: tile loads and stores, plain and packed. A register whose lanes are consecutive in memory is one (masked)
// vector access; any other is built lane by lane.
#include "compiler/passes/inside.h"
#include "compiler/target/cpu/lower.h"
#include "compiler/tile/access.h"
#include "llvm/ADT/STLExtras.h"
#include <limits>

using namespace mlir;

namespace tessera::cpu {

// What all registers of one access share.
struct CpuLowering::Address {
  SmallVector<tile::AxisAccess> axes;
  Registers sizes;                 // i64, one an axis
  Registers strides;               // i64, in elements; plain views only
  Value base;                      // pointer
  Value offset;                    // i64: elements to the origin of the tile; plain views only
  SmallVector<Value> origins;      // i64 per axis; null for `all` and gathers
  const Registers *mask = nullptr; // explicit, in the access's layout
  int64_t lastUnit = 1;            // view positions a step along the last axis: a block for scales
  llvm::DenseMap<std::pair<int, int64_t>, Value> gathered; // (axis, element) -> i64 index
};

static Value addI(OpBuilder &b, Location loc, Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
static Value mulI(OpBuilder &b, Location loc, Value x, Value y) { return arith::MulIOp::create(b, loc, x, y); }

CpuLowering::Address CpuLowering::addressOf(Operation *access, tile::ViewType view, Value viewValue) {
  Location loc = access->getLoc();
  Address a;
  a.axes = tile::axesOf(access);
  a.base = scalar(viewValue);
  a.sizes = extents.find(viewValue)->second;
  for (const tile::AxisAccess &axis : a.axes) {
    bool gathered = axis.kind == tile::Subscript::each;
    a.origins.push_back(axis.index && !gathered ? scalar(axis.index) : Value());
  }
  if (tile::packedFormat(view))
    return a;
  Value stride = constantI64(1);
  a.strides.resize(a.axes.size());
  a.offset = constantI64(0);
  for (int axis = int(a.axes.size()) - 1; axis >= 0; --axis) {
    a.strides[axis] = stride;
    if (a.origins[axis])
      a.offset = addI(b, loc, a.offset, mulI(b, loc, a.origins[axis], stride));
    if (axis > 0)
      stride = mulI(b, loc, stride, a.sizes[axis]);
  }
  return a;
}

// The i64 index of a tile element along a gathered axis.
Value CpuLowering::gatheredIndex(Address &a, int axis, int64_t element, Location loc) {
  Value &index = a.gathered[{axis, element}];
  if (index)
    return index;
  Layout layout = tile::layoutOf(cast<RankedTensorType>(a.axes[axis].index.getType()));
  int64_t lanes = layout.lanes(), place = layout.inverse()[element];
  Value reg = regs(a.axes[axis].index)[place / lanes];
  Value narrow = lanes == 1 ? reg : vector::ExtractOp::create(b, loc, reg, place % lanes).getResult();
  return index = arith::ExtSIOp::create(b, loc, b.getI64Type(), narrow);
}

// Pointer to the element at tile coordinate `at` of a plain view.
Value CpuLowering::elementPointer(Address &a, const Coordinate &at, Type element, Location loc) {
  Value offset = a.offset;
  int64_t constant = 0; // along the last axis, whose stride is 1
  for (auto [axis, access] : llvm::enumerate(a.axes)) {
    if (access.tileAxis < 0)
      continue;
    int64_t step = at[access.tileAxis];
    bool last = axis + 1 == a.axes.size();
    if (access.kind == tile::Subscript::each)
      offset = addI(b, loc, offset, mulI(b, loc, gatheredIndex(a, axis, step, loc), a.strides[axis]));
    else if (last)
      constant = step;
    else if (step)
      offset = addI(b, loc, offset, mulI(b, loc, constantI64(step), a.strides[axis]));
  }
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value at0 = LLVM::GEPOp::create(b, loc, pointer, element, a.base, ArrayRef<LLVM::GEPArg>{offset});
  return constant
             ? LLVM::GEPOp::create(b, loc, pointer, element, at0, ArrayRef<LLVM::GEPArg>{int32_t(constant)}).getResult()
             : at0;
}

static constexpr int64_t cacheLine = 64;

// The shift is a constant, since groups of columns are whole bytes apart.
CpuLowering::PackedPlace CpuLowering::packedPointer(Address &a, tile::LoadOp op, int plane, const Coordinate &at) {
  Location loc = op.getLoc();
  const Panel &panels = *tile::panelOf(op.getView().getType());
  const PackedFormat &format = panels.format;
  const PanelPart &part = tile::partOf(panels, *op.getComponent(), plane);
  const tile::AxisAccess &rows = a.axes[0], &columns = a.axes[1];
  int64_t row = rows.tileAxis >= 0 ? at[rows.tileAxis] : 0;
  int64_t column = columns.tileAxis >= 0 ? at[columns.tileAxis] * a.lastUnit : 0, fixedBlocks = 0;

  // Row: panel number and the row in the panel, the latter a constant where the origin is a whole panel.
  Value panel, rowInPanel;
  int64_t fixedRow = 0;
  Value sixteen = constantI64(panelRows);
  if (rows.kind == tile::Subscript::each || knownDivisor(rows.index) % panelRows) {
    Value number = rows.kind == tile::Subscript::each ? gatheredIndex(a, 0, row, loc)
                   : row                              ? addI(b, loc, a.origins[0], constantI64(row))
                                                      : a.origins[0];
    panel = arith::DivUIOp::create(b, loc, number, sixteen);
    rowInPanel = arith::RemUIOp::create(b, loc, number, sixteen);
  } else {
    panel = addI(b, loc, arith::DivUIOp::create(b, loc, a.origins[0], sixteen), constantI64(row / panelRows));
    fixedRow = row % panelRows;
  }
  // Column: block number and column in the block, the latter a constant where the origin is a whole block, else a
  // constant inside its group.
  Value blockSize = constantI64(format.block), origin = a.origins[1] ? a.origins[1] : constantI64(0), block, group;
  if (!a.origins[1] || knownDivisor(columns.index) % format.block == 0) {
    fixedBlocks = column / format.block;
    block = addI(b, loc, arith::DivUIOp::create(b, loc, origin, blockSize), constantI64(fixedBlocks));
    column %= format.block;
  } else {
    int64_t inGroup = column % format.group;
    Value position = addI(b, loc, origin, constantI64(column - inGroup));
    block = arith::DivUIOp::create(b, loc, position, blockSize);
    group =
        arith::DivUIOp::create(b, loc, arith::RemUIOp::create(b, loc, position, blockSize), constantI64(format.group));
    column = inGroup;
  }
  Value blocks = arith::DivUIOp::create(b, loc, a.sizes[1], blockSize);
  Value number = addI(b, loc, mulI(b, loc, panel, blocks), block);
  Value offset = mulI(b, loc, number, constantI64(panelBlockBytes(format)));
  int64_t byte = part.byteOf(fixedRow, column), groupStride = part.stride(1, format.group);
  if (rowInPanel)
    offset = addI(b, loc, offset, mulI(b, loc, rowInPanel, constantI64(part.stride(0, 1))));
  if (group && groupStride)
    offset = addI(b, loc, offset, mulI(b, loc, group, constantI64(groupStride)));
  std::optional<int64_t> line;
  if (!rowInPanel) // a panel has less than 2^32 lines
    line = (row / panelRows << 32) + (fixedBlocks * panelBlockBytes(format) + byte) / cacheLine;
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value start = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), a.base, ArrayRef<LLVM::GEPArg>{offset});
  return {LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), start, ArrayRef<LLVM::GEPArg>{int32_t(byte)}),
          part.shiftOf(0, column), line};
}

// Whether the kernel's products have few rows, so that it waits for memory: up to four, or as many as there are beside
// one panel, which is how the library cuts up to eight. One with more computes, and finds a panel in the caches for all
// blocks of rows but the first: there prefetching costs 5 %.
static bool waitsForMemory(Operation *op) {
  bool waits = true;
  op->getParentOfType<FunctionOpInterface>()->walk([&](tile::DotOp dot) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(dot.getType()).getShape();
    waits &= shape.front() <= 4 || shape.back() <= panelRows;
  });
  return waits;
}

// A thread reads from memory no faster than the processor's prefetchers run ahead, and they lose their way where blocks
// are no whole cache lines or have several planes: Q5_0 came at 17 GB/s and Q6_K at 13, Q4_0 at 36. So far ahead,
// measured against half and twice as much, a panel of the next programs is meant as well.
static constexpr int32_t prefetchBytes = 8192;

void CpuLowering::prefetch(Value pointer, Location loc) {
  Value ahead =
      LLVM::GEPOp::create(b, loc, pointer.getType(), b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{prefetchBytes});
  LLVM::Prefetch::create(b, loc, ahead, /*rw=*/0, /*hint=*/3, /*cache=*/1);
}

// What must hold for an access: `all` for every lane of the register (i1), and `lanes` for each (vector of i1). Null is
// always. Apart, because a condition on the whole register costs one select of the pointer.
struct CpuLowering::Guard {
  Value all, lanes;
};

CpuLowering::Guard CpuLowering::guard(Address &a, const Layout &layout, int64_t r, bool packed, Location loc) {
  Guard out;
  int64_t lanes = layout.lanes();
  auto also = [&](Value &so, Value condition) {
    so = so ? arith::AndIOp::create(b, loc, so, condition).getResult() : condition;
  };
  if (a.mask) {
    Value mask = (*a.mask)[r];
    auto broadcast = mask.getDefiningOp<vector::BroadcastOp>();
    if (broadcast && !isa<VectorType>(broadcast.getSource().getType()))
      mask = broadcast.getSource();
    also(isa<VectorType>(mask.getType()) ? out.lanes : out.all, mask);
  }
  for (auto [axis, access] : llvm::enumerate(a.axes)) {
    if (access.kind != tile::Subscript::range)
      continue;
    // Element `step` is inside while step < bound - origin.
    Value room = arith::SubIOp::create(b, loc, scalar(access.bound), a.origins[axis]);
    SmallVector<int32_t> steps;
    for (int64_t l = 0; l < lanes; ++l)
      steps.push_back(int32_t(layout.at(r, l)[access.tileAxis] * (axis + 1 == a.axes.size() ? a.lastUnit : 1)));
    // A packed panel is padded, so its first element decides for all its lanes.
    if (packed || llvm::all_equal(steps)) {
      also(out.all, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, constantI64(steps[0]), room));
      continue;
    }
    // Compared in 32 bits, one vector instead of two: more room than a tile is long makes no difference.
    auto wide = VectorType::get({lanes}, b.getI32Type());
    Value positions = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(wide, ArrayRef(steps)));
    Value most = constantI64(std::numeric_limits<int32_t>::max());
    room = arith::MinSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, room, constantI64(0)), most);
    room = arith::TruncIOp::create(b, loc, b.getI32Type(), room);
    also(out.lanes, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, positions, splat(room, wide)));
  }
  return out;
}

// A loop over the lanes whose mask is set: what masked accesses are where the target has none.
void CpuLowering::forEachLane(Value mask, llvm::function_ref<void(Value lane)> body, Location loc) {
  int64_t lanes = cast<VectorType>(mask.getType()).getNumElements();
  auto loop = scf::ForOp::create(b, loc, constantI64(0), constantI64(lanes), constantI64(1));
  OpBuilder::InsertionGuard restore(b);
  b.setInsertionPoint(loop.getBody()->getTerminator());
  Value set = LLVM::ExtractElementOp::create(b, loc, mask, loop.getInductionVar());
  auto branch = scf::IfOp::create(b, loc, set, /*withElseRegion=*/false);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body(loop.getInductionVar());
}

static int64_t elementBytes(Type type) { return (getElementTypeOrSelf(type).getIntOrFloatBitWidth() + 7) / 8; }

// A vector or scalar of `type` from `pointer`, zero where the guard does not hold.
Value CpuLowering::guardedLoad(Type type, Value pointer, const Guard &guard, Location loc) {
  int64_t bytes = elementBytes(type);
  if (guard.all)
    pointer = arith::SelectOp::create(b, loc, guard.all, pointer, nothing);
  if (!guard.lanes)
    return LLVM::LoadOp::create(b, loc, type, pointer, bytes);
  if (target.maskedBits && bytes * 8 >= target.maskedBits) {
    Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(type)));
    return LLVM::MaskedLoadOp::create(b, loc, type, pointer, guard.lanes, zero, bytes);
  }
  // Lane by lane into scratch that starts as zeros.
  Value zero = arith::ConstantOp::create(b, loc, cast<TypedAttr>(b.getZeroAttr(type)));
  LLVM::StoreOp::create(b, loc, zero, sink, bytes);
  Type element = getElementTypeOrSelf(type);
  auto at = [&](Value base, Value lane) -> Value {
    return LLVM::GEPOp::create(b, loc, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{lane});
  };
  forEachLane(
      guard.lanes,
      [&](Value lane) {
        LLVM::StoreOp::create(b, loc, LLVM::LoadOp::create(b, loc, element, at(pointer, lane), bytes), at(sink, lane),
                              bytes);
      },
      loc);
  return LLVM::LoadOp::create(b, loc, type, sink, bytes);
}

void CpuLowering::guardedStore(Value value, Value pointer, const Guard &guard, Location loc) {
  int64_t bytes = elementBytes(value.getType());
  if (guard.all)
    pointer = arith::SelectOp::create(b, loc, guard.all, pointer, sink);
  if (!guard.lanes) {
    LLVM::StoreOp::create(b, loc, value, pointer, bytes);
    return;
  }
  if (target.maskedBits && bytes * 8 >= target.maskedBits) {
    LLVM::MaskedStoreOp::create(b, loc, value, pointer, guard.lanes, bytes);
    return;
  }
  Type element = getElementTypeOrSelf(value.getType());
  forEachLane(
      guard.lanes,
      [&](Value lane) {
        Value to = LLVM::GEPOp::create(b, loc, pointer.getType(), element, pointer, ArrayRef<LLVM::GEPArg>{lane});
        LLVM::StoreOp::create(b, loc, LLVM::ExtractElementOp::create(b, loc, value, lane), to, bytes);
      },
      loc);
}

static Value laneOf(OpBuilder &b, Location loc, Value value, int64_t lane) {
  return isa<VectorType>(value.getType()) ? vector::ExtractOp::create(b, loc, value, lane).getResult() : value;
}

CpuLowering::Guard CpuLowering::laneGuard(const Guard &guard, int64_t lane, Location loc) {
  if (!guard.lanes)
    return guard;
  Value set = vector::ExtractOp::create(b, loc, guard.lanes, lane);
  return {guard.all ? arith::AndIOp::create(b, loc, guard.all, set).getResult() : set, {}};
}

// The scalar layout of one tile rank: what a plain scalar access looks like to the code below.
static Layout layoutOfAccess(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tile::layoutOf(tensor) : Layout{};
}

// Tells the user how wide an access is, and what it costs where lanes are apart in memory.
static void explain(Operation *op, const Layout &layout, bool consecutive, const char *what) {
  auto remark = op->emitRemark() << what << ": ";
  if (layout.lanes() == 1)
    remark << layout.registers() << " scalars";
  else if (consecutive)
    remark << layout.registers() << " vectors of " << layout.lanes() << " elements";
  else
    remark << layout.registers() * layout.lanes() << " elements one by one: the lanes are not consecutive in memory";
}

void CpuLowering::lowerLoad(tile::LoadOp op) {
  Location loc = op.getLoc();
  Address a = addressOf(op, op.getView().getType(), op.getView());
  Layout layout = layoutOfAccess(op.getType());
  const Panel *panel = tile::panelOf(op.getView().getType());
  Type type = registerType(op.getType()), element = getElementTypeOrSelf(type);
  if (op.getMask())
    a.mask = &regs(op.getMask());
  if (panel)
    a.lastUnit = tile::columnsAnElement(*panel, *op.getComponent(), op.getSizes().back());
  // The bits of a plane, where they belong in the code.
  auto unpack = [&](Value bytes, const PanelPart &plane, int64_t down) {
    auto constant = [&](int64_t x) -> Value {
      return splat(arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(x)), bytes.getType());
    };
    int64_t move = down - plane.shift;
    if (move > 0)
      bytes = arith::ShRUIOp::create(b, loc, bytes, constant(move));
    else if (move < 0)
      bytes = arith::ShLIOp::create(b, loc, bytes, constant(-move));
    return arith::AndIOp::create(b, loc, bytes, constant(((1 << plane.bits) - 1) << plane.shift)).getResult();
  };
  llvm::SmallDenseSet<int64_t> fetched; // lines of the tile's panels, by their place from its first
  bool fetches = panel && waitsForMemory(op);
  auto packedLoad = [&](Type wanted, const PackedPlace &place, const Guard &guard) {
    if (fetches && place.line && fetched.insert(*place.line).second)
      prefetch(place.pointer, loc);
    return guardedLoad(wanted, place.pointer, guard, loc);
  };
  auto loadAt = [&](Type wanted, const Coordinate &at, const Guard &guard) {
    if (!panel)
      return guardedLoad(wanted, elementPointer(a, at, element, loc), guard, loc);
    int planes = *op.getComponent() == tile::Component::codes ? codePlanes(panel->format).count : 1;
    Value code;
    for (int number = 0; number < planes; ++number) {
      const PanelPart &plane = tile::partOf(*panel, *op.getComponent(), number);
      PackedPlace place = packedPointer(a, op, number, at);
      Value bits = packedLoad(wanted, place, guard);
      if (plane.bits < 8)
        bits = unpack(bits, plane, place.shift);
      code = code ? arith::OrIOp::create(b, loc, code, bits).getResult() : bits;
    }
    return code;
  };
  bool consecutive = lanesAreConsecutive(op, layout);
  explain(op, layout, consecutive, "load");
  Registers out;
  for (int64_t r = 0; r < layout.registers(); ++r) {
    Guard condition = guard(a, layout, r, panel && consecutive, loc);
    if (consecutive) {
      out.push_back(loadAt(type, layout.at(r, 0), condition));
      continue;
    }
    SmallVector<Value> elements;
    for (int64_t l = 0; l < layout.lanes(); ++l)
      elements.push_back(loadAt(element, layout.at(r, l), laneGuard(condition, l, loc)));
    out.push_back(vector::FromElementsOp::create(b, loc, cast<VectorType>(type), elements));
  }
  registers[op] = out;
}

void CpuLowering::lowerStore(tile::StoreOp op) {
  Location loc = op.getLoc();
  Address a = addressOf(op, op.getView().getType(), op.getView());
  Layout layout = layoutOfAccess(op.getValue().getType());
  const Registers &values = regs(op.getValue());
  if (op.getMask())
    a.mask = &regs(op.getMask());
  Type element = getElementTypeOrSelf(values.front().getType());
  bool consecutive = lanesAreConsecutive(op, layout);
  explain(op, layout, consecutive, "store");
  for (int64_t r = 0; r < layout.registers(); ++r) {
    Guard condition = guard(a, layout, r, false, loc);
    if (consecutive) {
      guardedStore(values[r], elementPointer(a, layout.at(r, 0), element, loc), condition, loc);
      continue;
    }
    for (int64_t l = 0; l < layout.lanes(); ++l)
      guardedStore(laneOf(b, loc, values[r], l), elementPointer(a, layout.at(r, l), element, loc),
                   laneGuard(condition, l, loc), loc);
  }
}

void CpuLowering::lowerAtomicAdd(tile::AtomicAddOp op) {
  Location loc = op.getLoc();
  Address a = addressOf(op, op.getView().getType(), op.getView());
  Layout layout = layoutOfAccess(op.getValue().getType());
  const Registers &values = regs(op.getValue());
  if (op.getMask())
    a.mask = &regs(op.getMask());
  Type element = getElementTypeOrSelf(op.getValue().getType());
  auto kind = isa<FloatType>(element) ? LLVM::AtomicBinOp::fadd : LLVM::AtomicBinOp::add;
  for (int64_t r = 0; r < layout.registers(); ++r) {
    Guard condition = guard(a, layout, r, false, loc);
    for (int64_t l = 0; l < layout.lanes(); ++l) {
      Value pointer = elementPointer(a, layout.at(r, l), element, loc), value = laneOf(b, loc, values[r], l);
      if (Value all = laneGuard(condition, l, loc).all)
        pointer = arith::SelectOp::create(b, loc, all, pointer, sink);
      LLVM::AtomicRMWOp::create(b, loc, kind, pointer, value, LLVM::AtomicOrdering::monotonic);
    }
  }
}

} // namespace tessera::cpu
