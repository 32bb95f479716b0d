// Shared memory: stores and loads of swizzled buffers; by matrices in lower_matrices.cpp.
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tessera::gpu {

Value GpuLowering::bufferBase(Value buffer) {
  return LLVM::GEPOp::create(b, buffer.getLoc(), sharedBase.getType(), b.getI8Type(), sharedBase,
                             ArrayRef<LLVM::GEPArg>{int32_t(*buffer.getDefiningOp<tile::AllocOp>().getOffset())});
}

std::pair<int64_t, int64_t> GpuLowering::SharedAddress::rowColumn(const Coordinate &at) const {
  return placeIn(where.type(), shape, at);
}

// The chunk of an element is an XOR of shares of the thread and of the register, everything else is a sum: a row's bits
// come from one or the other, and the swizzle is linear in them.
GpuLowering::SharedAddress::SharedAddress(GpuLowering &lowering, Place buffer, const Layout &layout,
                                          ArrayRef<int64_t> shape)
    : lowering(lowering), where(buffer), swizzle(swizzleOf(buffer.type())), shape(shape),
      columns(buffer.type().getShape().empty() ? 1 : buffer.type().getShape().back()),
      bytes(elementBytes(buffer.type().getElementType())) {
  constexpr int64_t unit = Swizzle::chunkBytes;
  bool swizzled = swizzle.masks() > 1;
  fixedSteps = stepsOf(layout, [&](const Coordinate &at) {
    auto [row, column] = rowColumn(at);
    return row * swizzle.pitch() + (swizzled ? column * bytes % unit : column * bytes);
  });
  if (!swizzled)
    return;
  columnSteps = stepsOf(layout, [&](const Coordinate &at) { return rowColumn(at).second * bytes / unit; });
  maskSteps = stepsOf(layout, [&](const Coordinate &at) { return swizzle.mask(rowColumn(at).first); });
}

// The thread's bytes in a buffer, with `low` XORed onto its chunk.
Value GpuLowering::SharedAddress::offsetOf(int64_t low) {
  OpBuilder &b = lowering.b;
  Location loc = where.buffer.getLoc();
  Value offset = lowering.walk(fixedSteps);
  if (swizzle.masks() <= 1)
    return offset;
  Value chunk = lowering.walk(columnSteps);
  // Bits of the thread may meet in one bit of the chunk: those that do are XORed.
  for (std::vector<int64_t> left = maskSteps; llvm::any_of(left, [](int64_t step) { return step != 0; });) {
    std::vector<int64_t> apart(left.size(), 0);
    int64_t taken = 0;
    for (auto [now, later] : llvm::zip(apart, left))
      if (!(taken & later))
        taken |= now = std::exchange(later, 0);
    chunk = arith::XOrIOp::create(b, loc, chunk, lowering.walk(apart));
  }
  if (low)
    chunk = arith::XOrIOp::create(b, loc, chunk, lowering.constantI32(low));
  Value moved = arith::MulIOp::create(b, loc, chunk, lowering.constantI32(Swizzle::chunkBytes));
  return arith::AddIOp::create(b, loc, offset, moved);
}

// In a ring the thread's part is computed once, before all loops, and hidden from LLVM, which would take it apart again
// to share terms and so spend an addition more for every address in every step. Where loads on their way fill the
// registers, only the part at chunk 0 is kept, and others are made of it in each step.
Value GpuLowering::SharedAddress::startAt(int64_t low) {
  OpBuilder &b = lowering.b;
  Location loc = where.buffer.getLoc();
  auto move = [&](Value from, Value by) -> Value {
    return LLVM::GEPOp::create(b, loc, from.getType(), b.getI8Type(), from, ArrayRef<LLVM::GEPArg>{by});
  };
  if (!where.slot)
    return move(lowering.bufferBase(where.buffer), offsetOf(low));
  if (low && isXored() && !lowering.target.has("cp_async")) {
    Value first = byChunk[0];
    if (!first)
      first = byChunk[0] = startAt(0);
    Value number = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), first);
    number = arith::XOrIOp::create(b, loc, number, lowering.constantI32(low * Swizzle::chunkBytes));
    return LLVM::IntToPtrOp::create(b, loc, first.getType(), number);
  }
  Value &mine = lowering.inRings[{fixedSteps, columnSteps, maskSteps, {low}}];
  if (!mine) {
    OpBuilder::InsertionGuard restore(b);
    b.setInsertionPointAfterValue(lowering.sharedBase);
    Value pointer = move(lowering.sharedBase, offsetOf(low));
    mine = LLVM::InlineAsmOp::create(b, loc, pointer.getType(), ValueRange{pointer}, "mov.b32 $0, $1;", "=r,r",
                                     /*has_side_effects=*/false, /*is_align_stack=*/false,
                                     LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
               .getResult(0);
  }
  return move(mine, where.slot);
}

// Whether the bits of the swizzled chunk in an address come from the chunk alone, whatever the slot.
bool GpuLowering::SharedAddress::isXored() const {
  int64_t field = swizzle.masks() * Swizzle::chunkBytes, inChunk = Swizzle::chunkBytes - 1;
  return slotBytes(where.type()) % field == 0 &&
         llvm::all_of(fixedSteps, [&](int64_t step) { return (step & (field - 1) & ~inChunk) == 0; });
}

std::pair<Value, int64_t> GpuLowering::SharedAddress::place(const Coordinate &at) {
  constexpr int64_t unit = Swizzle::chunkBytes;
  auto [row, column] = rowColumn(at);
  bool swizzled = swizzle.masks() > 1;
  int64_t key = swizzled ? column * bytes / unit ^ swizzle.mask(row) : 0;
  // Chunks above the swizzled bits only add.
  int64_t high = swizzled ? key & ~(swizzle.masks() - 1) : 0, low = key - high;
  Value start = byChunk[low];
  if (!start)
    start = byChunk[low] = startAt(low);
  int64_t ring = where.slot ? *where.buffer.getDefiningOp<tile::AllocOp>().getOffset() : 0;
  return {start, ring + row * swizzle.pitch() + (swizzled ? column * bytes % unit + high * unit : column * bytes)};
}

Value GpuLowering::SharedAddress::pointer(const Coordinate &at) {
  auto [start, rest] = place(at);
  return rest ? LLVM::GEPOp::create(lowering.b, start.getLoc(), start.getType(), lowering.b.getI8Type(), start,
                                    ArrayRef<LLVM::GEPArg>{int32_t(rest)})
                    .getResult()
              : start;
}

static void explain(Operation *op, const char *what, int64_t accesses, int64_t bytes, int conflicts) {
  op->emitRemark() << what << " shared memory: " << accesses << (accesses == 1 ? " access of " : " accesses of ")
                   << bytes << " bytes a thread, bank conflict degree " << conflicts;
}

// Moves what only `user` needs down to it: addresses, predicates and loads of memory that nobody writes.
static void sinkTo(Operation *user) {
  for (Value operand : user->getOperands()) {
    Operation *def = operand.getDefiningOp();
    if (!def || def->getBlock() != user->getBlock() || !def->hasOneUse() || def->getNumRegions())
      continue;
    def->moveBefore(user);
    sinkTo(def);
  }
}

// Whether a thread's elements come one by one from memory that nobody writes: more than it should have on their way at
// once.
static bool comesInMany(tile::SharedStoreOp op, int64_t accesses) {
  constexpr int64_t mostAtOnce = 32;
  auto load = op.getValue().getDefiningOp<tile::LoadOp>();
  if (!load || !load->hasOneUse() || load->getBlock() != op->getBlock() || accesses <= mostAtOnce)
    return false;
  auto view = dyn_cast<BlockArgument>(load.getView());
  auto kernel = op->getParentOfType<func::FuncOp>();
  auto access = view ? kernel.getArgAttrOfType<StringAttr>(view.getArgNumber(), tile::accessAttr) : StringAttr();
  return access && access.getValue() == "in";
}

void GpuLowering::lowerSharedStore(tile::SharedStoreOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = tile::layoutOf(type);
  Type element = heldType(type.getElementType());
  Location loc = op.getLoc();
  if (storeMatrices(op))
    return;
  SharedAddress to(*this, {op.getBuffer(), slotOf(op.getSlot())}, layout, type.getShape());
  int64_t vector = sharedVector(layout, op.getBuffer().getType()), bytes = elementBytes(type);
  const Registers &values = regs(op.getValue());
  bool many = comesInMany(op, layout.registers() / vector);
  auto emit = [&] {
    for (int64_t r = 0; r < layout.registers(); r += vector) {
      Value value = values[r];
      if (vector > 1) {
        value = LLVM::PoisonOp::create(b, loc, VectorType::get({vector}, element));
        for (int64_t i = 0; i < vector; ++i)
          value = LLVM::InsertElementOp::create(b, loc, value, values[r + i], constantI32(i));
      }
      auto store = LLVM::StoreOp::create(b, loc, value, to.pointer(layout.at(r, 0)), vector * bytes);
      if (many)
        sinkTo(store);
    }
  };
  // Threads that hold the same leave the writing to the first of them.
  if (Value first = isFirstHolder(layout)) {
    to.pointer(layout.at(0, 0));
    auto branch = scf::IfOp::create(b, loc, first, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard restore(b);
    b.setInsertionPoint(branch.thenBlock()->getTerminator());
    emit();
  } else {
    emit();
  }
  explain(op, "store to", layout.registers() / vector, vector * bytes,
          conflictsOf(layout, op.getBuffer().getType(), type.getShape(), vector, Coordinate(layout.rank(), 0)));
}

// Where nobody touches shared memory between the load and the one dot that reads it, its registers can come as they are
// used: the axis of the load that the dot sums over. None elsewhere, and none for bytes that threads multiply, unless
// copies start in between: ptxas takes them for writers of shared memory, which no load may pass.
struct Summed {
  int axis;
  bool matrix;
};
static std::optional<Summed> summedAxis(const Target &chip, tile::SharedLoadOp op) {
  Operation *user = op;
  Value read;
  int axis = 1;
  bool widened = false;
  do {
    if (!user->hasOneUse())
      return std::nullopt;
    if (isa<tile::TransOp>(user))
      axis = 1 - axis;
    if (isa<arith::ExtFOp>(user)) {
      Type from = getElementTypeOrSelf(user->getOperand(0));
      if (widened || !(from.isF16() || from.isBF16()))
        return std::nullopt;
      widened = true;
    }
    read = user->getResult(0);
    user = *user->getUsers().begin();
  } while (isa<tile::TransOp, arith::ExtFOp>(user));
  auto dot = dyn_cast<tile::DotOp>(user);
  if (!dot || user->getBlock() != op->getBlock())
    return std::nullopt;
  const MmaOp *mma = chooseMma(chip, dot);
  if (mma->k != 1 && widened)
    return std::nullopt;
  axis = dot.getLhs() == read ? axis : 1 - axis;
  bool copies = false;
  for (Operation *between = op->getNextNode(); between != user; between = between->getNextNode()) {
    bool barrier = isa<tile::SharedStoreOp, tile::BarrierOp>(between) || between->getNumRegions();
    llvm::TypeSwitch<Operation *>(between).Case<tile::ReduceOp, tile::ArgMaxOp, tile::ScanOp>(
        [&](auto reduce) { barrier |= bool(reduce.getScratch()); });
    if (barrier)
      return std::nullopt;
    copies |= isa<tile::CopyOp>(between);
  }
  if (!mma->matrix() && mma->k != 1 && !copies)
    return std::nullopt;
  return Summed{axis, mma->matrix()};
}

void GpuLowering::lowerSharedLoad(tile::SharedLoadOp op) {
  if (wgmmaReader(op)) { // takes the buffer's address
    registers[op] = Registers(registerCount(op.getType()), Value());
    return;
  }
  std::optional<Summed> summed = summedAxis(target, op);
  auto reader =
      std::make_shared<SharedReader>(*this, op, summed && summed->matrix ? std::optional(summed->axis) : std::nullopt);
  int64_t count = registerCount(op.getType());
  Registers &out = registers[op] = Registers(count, Value());
  if (summed) {
    Late late{reader, {}};
    for (int64_t r = 0; r < count; ++r)
      late.from.push_back(r);
    lates[op] = late;
    return;
  }
  for (int64_t r = 0; r < count; ++r)
    out[r] = reader->at(r);
}

GpuLowering::SharedReader::SharedReader(GpuLowering &lowering, tile::SharedLoadOp op, std::optional<int> summed)
    : lowering(lowering), op(op), type(cast<RankedTensorType>(op.getType())), layout(tile::layoutOf(type)),
      elements(layout.registers(), Value()), widened(layout.registers(), Value()) {
  if (lowering.target.has("ldmatrix"))
    plan = planMatrices(layout, type, op.getBuffer().getType(), summed);
  tile::SharedType buffer = op.getBuffer().getType();
  int64_t bytes = elementBytes(type);
  if (plan.groups.empty()) {
    vector = sharedVector(layout, buffer);
    explain(op, "load from", layout.registers() / vector, vector * bytes,
            conflictsOf(layout, buffer, type.getShape(), vector, Coordinate(layout.rank(), 0)));
    return;
  }
  int conflicts = 1;
  for (const Matrices &group : plan.groups)
    conflicts = std::max(conflicts, conflictsOf(group.giving, buffer, type.getShape(), Swizzle::chunkBytes / bytes,
                                                layout.at(group.words.front() * plan.word, 0)));
  op.emitRemark() << "ldmatrix" << (plan.transposed ? ", transposed" : "") << ": " << layout.registers() / plan.word
                  << " matrices of 8 x 16 bytes a warp, bank conflict degree " << conflicts;
}

GpuLowering::SharedAddress &GpuLowering::SharedReader::addressFor(const Layout &walked) {
  auto found = llvm::find_if(addresses, [&](const auto &entry) { return entry.first == walked; });
  if (found != addresses.end())
    return *found->second;
  addresses.push_back(
      {walked, std::make_unique<SharedAddress>(lowering, Place{op.getBuffer(), lowering.slotOf(op.getSlot())}, walked,
                                               type.getShape())});
  return *addresses.back().second;
}

Value GpuLowering::SharedReader::at(int64_t r) {
  if (elements[r])
    return elements[r];
  OpBuilder &b = lowering.b;
  Location loc = op.getLoc();
  if (!plan.groups.empty()) {
    loadMatrices(
        *llvm::find_if(plan.groups, [&](const Matrices &m) { return llvm::is_contained(m.words, r / plan.word); }));
    return elements[r];
  }
  int64_t first = r / vector * vector;
  Type element = heldType(type.getElementType());
  Type each = vector > 1 ? Type(VectorType::get({vector}, element)) : element;
  Value loaded =
      LLVM::LoadOp::create(b, loc, each, addressFor(layout).pointer(layout.at(first, 0)), vector * elementBytes(type));
  for (int64_t i = 0; i < vector; ++i)
    elements[first + i] =
        vector > 1 ? LLVM::ExtractElementOp::create(b, loc, loaded, lowering.constantI32(i)).getResult() : loaded;
  return elements[r];
}

// Two of a loaded word at once, where that is cheaper.
Value GpuLowering::SharedReader::wideAt(int64_t r) {
  if (widened[r])
    return widened[r];
  OpBuilder &b = lowering.b;
  Location loc = op.getLoc();
  if (!type.getElementType().isBF16() || vector % 2)
    return widened[r] = arith::ExtFOp::create(b, loc, b.getF32Type(), at(r));
  int64_t first = r / 2 * 2;
  Registers both = lowering.widenedBfloats(loc, {at(first), at(first + 1)});
  widened[first] = both[0], widened[first + 1] = both[1];
  return widened[r];
}

} // namespace tessera::gpu
