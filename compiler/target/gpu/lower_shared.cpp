// Shared memory: stores and loads of swizzled buffers, the latter with ldmatrix where the layout is a fragment's.
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "llvm/ADT/TypeSwitch.h"
#include <numeric>

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
  // Bits of the thread may meet in one bit of the chunk: XOR them field by field.
  Value chunk = arith::XOrIOp::create(b, loc, lowering.walk(columnSteps), lowering.walk(maskSteps));
  if (low)
    chunk = arith::XOrIOp::create(b, loc, chunk, lowering.constantI32(low));
  Value moved = arith::MulIOp::create(b, loc, chunk, lowering.constantI32(Swizzle::chunkBytes));
  return arith::AddIOp::create(b, loc, offset, moved);
}

// In a ring the thread's part is computed once, before all loops, and hidden from LLVM, which would take it apart again
// to share terms and so spend an addition more for every address in every step.
Value GpuLowering::SharedAddress::startAt(int64_t low) {
  OpBuilder &b = lowering.b;
  Location loc = where.buffer.getLoc();
  auto move = [&](Value from, Value by) -> Value {
    return LLVM::GEPOp::create(b, loc, from.getType(), b.getI8Type(), from, ArrayRef<LLVM::GEPArg>{by});
  };
  if (!where.slot)
    return move(lowering.bufferBase(where.buffer), offsetOf(low));
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

std::pair<Value, int64_t> GpuLowering::SharedAddress::place(const Coordinate &at) {
  constexpr int64_t unit = Swizzle::chunkBytes;
  auto [row, column] = rowColumn(at);
  bool swizzled = swizzle.masks() > 1;
  int64_t key = swizzled ? column * bytes / unit ^ swizzle.mask(row) : 0;
  // Chunks above the swizzled bits only add.
  int64_t high = swizzled ? key & ~(swizzle.masks() - 1) : 0, low = key - high;
  Value &start = byChunk[low];
  if (!start)
    start = startAt(low);
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

// Registers that move together in shared memory: a run inside one chunk.
static int64_t sharedVector(const Layout &layout, tile::SharedType buffer) {
  int64_t bytes = elementBytes(buffer.getElementType());
  int64_t columns = buffer.getShape().empty() ? 1 : buffer.getShape().back();
  int64_t vector = std::min(contiguous(layout), Swizzle::chunkBytes / bytes);
  while (vector > 1 && (columns % vector || swizzleOf(buffer).pitch() % (vector * bytes)))
    vector /= 2;
  return vector;
}

// The conflict degree of a tile's accesses, of `vector` elements each, to a buffer: the worst of the first few, which
// differ by constants.
static int conflictsOf(const Layout &layout, tile::SharedType buffer, ArrayRef<int64_t> shape, int64_t vector,
                       const Coordinate &from) {
  Swizzle swizzle = swizzleOf(buffer);
  int worst = 1;
  for (int64_t r = 0; r < std::min<int64_t>(layout.registers(), 4 * vector); r += vector)
    worst = std::max(worst, bankConflicts(vector * elementBytes(buffer.getElementType()), [&](int lane) {
                       Coordinate at = layout.at(r, lane);
                       for (size_t d = 0; d < at.size(); ++d)
                         at[d] += from[d];
                       auto [row, column] = placeIn(buffer, shape, at);
                       return swizzle.offset(row, column);
                     }));
  return worst;
}

static void explain(Operation *op, const char *what, int64_t accesses, int64_t bytes, int conflicts) {
  op->emitRemark() << what << " shared memory: " << accesses << (accesses == 1 ? " access of " : " accesses of ")
                   << bytes << " bytes a thread, bank conflict degree " << conflicts;
}

void GpuLowering::lowerSharedStore(tile::SharedStoreOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = tile::layoutOf(type);
  Type element = heldType(type.getElementType());
  Location loc = op.getLoc();
  SharedAddress to(*this, {op.getBuffer(), slotOf(op.getSlot())}, layout, type.getShape());
  int64_t vector = sharedVector(layout, op.getBuffer().getType()), bytes = elementBytes(type);
  const Registers &values = regs(op.getValue());
  auto emit = [&] {
    for (int64_t r = 0; r < layout.registers(); r += vector) {
      Value value = values[r];
      if (vector > 1) {
        value = LLVM::PoisonOp::create(b, loc, VectorType::get({vector}, element));
        for (int64_t i = 0; i < vector; ++i)
          value = LLVM::InsertElementOp::create(b, loc, value, values[r + i], constantI32(i));
      }
      LLVM::StoreOp::create(b, loc, value, to.pointer(layout.at(r, 0)), vector * bytes);
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
// used: the axis of the load that the dot sums over. None elsewhere, and none for a dot of fused multiply-adds: ptxas
// then orders the loads well itself, and attention in f32 spilled twice as much.
static std::optional<int> summedAxis(const Target &chip, tile::SharedLoadOp op) {
  Operation *user = op;
  Value read;
  int axis = 0;
  do {
    if (!user->hasOneUse())
      return std::nullopt;
    axis = 1 - axis;
    read = user->getResult(0);
    user = *user->getUsers().begin();
  } while (isa<tile::TransOp>(user));
  auto dot = dyn_cast<tile::DotOp>(user);
  if (!dot || user->getBlock() != op->getBlock() || !chooseMma(chip, dot)->matrix())
    return std::nullopt;
  axis = dot.getLhs() == read ? axis : 1 - axis;
  for (Operation *between = op->getNextNode(); between != user; between = between->getNextNode()) {
    bool barrier = isa<tile::SharedStoreOp, tile::BarrierOp>(between) || between->getNumRegions();
    llvm::TypeSwitch<Operation *>(between).Case<tile::ReduceOp, tile::ArgMaxOp, tile::ScanOp>(
        [&](auto reduce) { barrier |= bool(reduce.getScratch()); });
    if (barrier)
      return std::nullopt;
  }
  return axis;
}

void GpuLowering::lowerSharedLoad(tile::SharedLoadOp op) {
  if (wgmmaReader(op)) { // takes the buffer's address
    registers[op] = Registers(registerCount(op.getType()), Value());
    return;
  }
  std::optional<int> summed = summedAxis(target, op);
  auto reader = std::make_shared<SharedReader>(*this, op, summed);
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
      elements(layout.registers(), Value()) {
  planMatrices(summed);
  tile::SharedType buffer = op.getBuffer().getType();
  int64_t bytes = elementBytes(type);
  if (matrices.empty()) {
    vector = sharedVector(layout, buffer);
    explain(op, "load from", layout.registers() / vector, vector * bytes,
            conflictsOf(layout, buffer, type.getShape(), vector, Coordinate(layout.rank(), 0)));
    return;
  }
  int conflicts = 1;
  for (const Matrices &group : matrices)
    conflicts = std::max(conflicts, conflictsOf(group.giving, buffer, type.getShape(), Swizzle::chunkBytes / bytes,
                                                layout.at(group.words.front() * word, 0)));
  op.emitRemark() << "ldmatrix" << (transposed ? ", transposed" : "") << ": " << layout.registers() / word
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
  if (!matrices.empty()) {
    loadMatrices(*llvm::find_if(matrices, [&](const Matrices &m) { return llvm::is_contained(m.words, r / word); }));
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

// ldmatrix (PTX ISA, "Warp-level matrix load instruction"): lane 4 i + j of a warp gets the j-th 32-bit word of row i
// of an 8 x 16-byte matrix; transposed, for 16-bit elements, the pair at rows 2j, 2j+1 of column i. Lanes 8 m .. 8 m +
// 7 give the rows' addresses of matrix m, up to four at once.
void GpuLowering::SharedReader::planMatrices(std::optional<int> summed) {
  tile::SharedType buffer = op.getBuffer().getType();
  int64_t bytes = elementBytes(type);
  word = bytes > 4 ? 0 : 4 / bytes;
  if (!lowering.target.has("ldmatrix") || type.getRank() != 2 || type.getShape() != buffer.getShape() || !word ||
      layout.lane.size() != 5 || swizzleOf(buffer).pitch() % Swizzle::chunkBytes)
    return;
  auto fits = [&](int along) { // the axis whose neighbours share a word
    auto basis = [&](int axis, int64_t step) { return axis == 0 ? Coordinate{step, 0} : Coordinate{0, step}; };
    SmallVector<Coordinate> inner, lanes;
    for (int64_t step = 1; step < word; step *= 2)
      inner.push_back(basis(along, step));
    lanes = {basis(along, word), basis(along, 2 * word), basis(1 - along, 1), basis(1 - along, 2), basis(1 - along, 4)};
    return layout.reg.size() >= inner.size() && std::equal(inner.begin(), inner.end(), layout.reg.begin()) &&
           std::equal(lanes.begin(), lanes.end(), layout.lane.begin());
  };
  transposed = bytes == 2 && fits(0);
  if (!transposed && !fits(1))
    return;
  SmallVector<int64_t> words(layout.registers() / word);
  std::iota(words.begin(), words.end(), 0);
  if (summed) { // what is multiplied together comes together
    auto step = [&](int64_t w) { return layout.at(w * word, 0)[*summed] / layout.block()[*summed]; };
    llvm::stable_sort(words, [&](int64_t x, int64_t y) { return step(x) < step(y); });
  }
  for (ArrayRef<int64_t> rest = words; !rest.empty(); rest = rest.drop_front(matrices.back().words.size())) {
    // As many matrices as lie on a grid that two lane bits can walk.
    int64_t count = std::min<int64_t>(4, rest.size());
    auto at = [&](int64_t i) { return layout.at(rest[i] * word, 0); };
    auto minus = [](Coordinate x, const Coordinate &y) {
      x[0] -= y[0], x[1] -= y[1];
      return x;
    };
    Coordinate one{0, 0}, two{0, 0};
    if (count >= 2)
      one = minus(at(1), at(0));
    if (count >= 4)
      two = minus(at(2), at(0));
    bool grid = count >= 4 && minus(at(3), at(2)) == one && one[0] >= 0 && one[1] >= 0 && two[0] >= 0 && two[1] >= 0;
    count = grid ? 4 : count >= 2 && one[0] >= 0 && one[1] >= 0 ? 2 : 1;
    // The lanes that give addresses: row of the matrix, then which matrix.
    Layout giving;
    giving.rep = {1, 1};
    giving.lane = {{1, 0}, {2, 0}, {4, 0}, count >= 2 ? one : Coordinate{0, 0}, count >= 4 ? two : Coordinate{0, 0}};
    giving.warp = layout.warp;
    matrices.push_back({SmallVector<int64_t>(rest.take_front(count)), giving});
  }
}

void GpuLowering::SharedReader::loadMatrices(const Matrices &group) {
  OpBuilder &b = lowering.b;
  Location loc = op.getLoc();
  int64_t count = group.words.size();
  Value pointer = addressFor(group.giving).pointer(layout.at(group.words.front() * word, 0));
  std::string name =
      "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) + (transposed ? ".trans" : "") + ".b16.p3";
  Type i32 = b.getI32Type();
  Type result =
      count == 1 ? i32 : Type(LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, i32)));
  Value all = LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), ValueRange{pointer}).getResult(0);
  SmallVector<Value> words;
  for (int64_t i = 0; i < count; ++i)
    words.push_back(count == 1 ? all : LLVM::ExtractValueOp::create(b, loc, all, i).getResult());
  for (auto [i, element] : llvm::enumerate(unpackWords(b, loc, words, heldType(type.getElementType()))))
    elements[group.words[i / word] * word + int64_t(i) % word] = element;
}

} // namespace tessera::gpu
