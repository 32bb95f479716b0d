// Shared memory: stores and loads of swizzled buffers, the latter with ldmatrix where the layout is a fragment's.
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"

using namespace mlir;

namespace tessera::gpu {

Value GpuLowering::bufferBase(Value buffer) {
  return LLVM::GEPOp::create(b, buffer.getLoc(), sharedBase.getType(), b.getI8Type(), sharedBase,
                             ArrayRef<LLVM::GEPArg>{int32_t(*buffer.getDefiningOp<tile::AllocOp>().getOffset())});
}

std::pair<int64_t, int64_t> GpuLowering::SharedAddress::place(const Coordinate &at) const {
  int64_t number = elementNumber(at, {shape.data(), shape.size()});
  return {number / columns, number % columns};
}

// The chunk of an element is an XOR of shares of the thread and of the register, everything else is a sum: a row's bits
// come from one or the other, and the swizzle is linear in them.
GpuLowering::SharedAddress::SharedAddress(GpuLowering &lowering, tile::SharedType buffer, Value base,
                                          const Layout &layout, ArrayRef<int64_t> shape)
    : lowering(lowering), swizzle(swizzleOf(buffer)), base(base), shape(shape),
      columns(buffer.getShape().empty() ? 1 : buffer.getShape().back()), bytes(elementBytes(buffer.getElementType())) {
  constexpr int64_t unit = Swizzle::chunkBytes;
  bool swizzled = swizzle.masks() > 1;
  auto fixedOf = [&](const Coordinate &at) {
    auto [row, column] = place(at);
    return row * swizzle.pitch() + (swizzled ? column * bytes % unit : column * bytes);
  };
  fixed = lowering.walk(stepsOf(layout, fixedOf));
  if (!swizzled)
    return;
  // Bits of the thread may meet in one bit of the chunk: XOR them field by field.
  auto chunkOf = [&](const Coordinate &at) { return place(at).second * bytes / unit; };
  auto maskOf = [&](const Coordinate &at) { return swizzle.mask(place(at).first); };
  OpBuilder &b = lowering.b;
  Value column = lowering.walk(stepsOf(layout, chunkOf)), row = lowering.walk(stepsOf(layout, maskOf));
  chunk = arith::XOrIOp::create(b, base.getLoc(), column, row);
}

Value GpuLowering::SharedAddress::pointer(const Coordinate &at) {
  constexpr int64_t unit = Swizzle::chunkBytes;
  OpBuilder &b = lowering.b;
  Location loc = base.getLoc();
  auto move = [&](Value from, LLVM::GEPArg by) -> Value {
    return LLVM::GEPOp::create(b, loc, from.getType(), b.getI8Type(), from, ArrayRef<LLVM::GEPArg>{by});
  };
  auto [row, column] = place(at);
  bool swizzled = swizzle.masks() > 1;
  int64_t key = swizzled ? column * bytes / unit ^ swizzle.mask(row) : 0;
  // Chunks above the swizzled bits only add.
  int64_t high = swizzled ? key & ~(swizzle.masks() - 1) : 0, low = key - high;
  Value &start = byChunk[low];
  if (!start) {
    Value offset = fixed;
    if (swizzled) {
      Value mine = low ? arith::XOrIOp::create(b, loc, chunk, lowering.constantI32(low)).getResult() : chunk;
      offset = arith::AddIOp::create(b, loc, offset, arith::MulIOp::create(b, loc, mine, lowering.constantI32(unit)));
    }
    start = move(base, offset);
  }
  int64_t rest = row * swizzle.pitch() + (swizzled ? column * bytes % unit + high * unit : column * bytes);
  return rest ? move(start, int32_t(rest)) : start;
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
  int64_t bytes = elementBytes(buffer.getElementType());
  int64_t columns = buffer.getShape().empty() ? 1 : buffer.getShape().back();
  int worst = 1;
  for (int64_t r = 0; r < std::min<int64_t>(layout.registers(), 4 * vector); r += vector)
    worst = std::max(worst, bankConflicts(vector * bytes, [&](int lane) {
                       Coordinate at = layout.at(r, lane);
                       for (size_t d = 0; d < at.size(); ++d)
                         at[d] += from[d];
                       int64_t number = elementNumber(at, {shape.data(), shape.size()});
                       return swizzle.offset(number / columns, number % columns);
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
  SharedAddress to(*this, op.getBuffer().getType(), bufferBase(op.getBuffer()), layout, type.getShape());
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

void GpuLowering::lowerSharedLoad(tile::SharedLoadOp op) {
  if (lowerMatrixLoad(op))
    return;
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = tile::layoutOf(type);
  Type element = heldType(type.getElementType());
  Location loc = op.getLoc();
  SharedAddress from(*this, op.getBuffer().getType(), bufferBase(op.getBuffer()), layout, type.getShape());
  int64_t vector = sharedVector(layout, op.getBuffer().getType()), bytes = elementBytes(type);
  Registers out;
  for (int64_t r = 0; r < layout.registers(); r += vector) {
    Type each = vector > 1 ? Type(VectorType::get({vector}, element)) : element;
    Value loaded = LLVM::LoadOp::create(b, loc, each, from.pointer(layout.at(r, 0)), vector * bytes);
    for (int64_t i = 0; i < vector; ++i)
      out.push_back(vector > 1 ? LLVM::ExtractElementOp::create(b, loc, loaded, constantI32(i)).getResult() : loaded);
  }
  registers[op] = out;
  explain(op, "load from", layout.registers() / vector, vector * bytes,
          conflictsOf(layout, op.getBuffer().getType(), type.getShape(), vector, Coordinate(layout.rank(), 0)));
}

// ldmatrix (PTX ISA, "Warp-level matrix load instruction"): lane 4 i + j of a warp gets the j-th 32-bit word of row i
// of an 8 x 16-byte matrix; transposed, for 16-bit elements, the pair at rows 2j, 2j+1 of column i. Lanes 8 m .. 8 m +
// 7 give the rows' addresses of matrix m, up to four at once.
bool GpuLowering::lowerMatrixLoad(tile::SharedLoadOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  if (!target.has("ldmatrix") || type.getRank() != 2 || type.getShape() != op.getBuffer().getType().getShape())
    return false;
  Layout layout = tile::layoutOf(type);
  int64_t bytes = elementBytes(type), word = bytes > 4 ? 0 : 4 / bytes;
  Swizzle swizzle = swizzleOf(op.getBuffer().getType());
  if (!word || layout.lane.size() != 5 || swizzle.pitch() % Swizzle::chunkBytes)
    return false;
  auto fits = [&](int along) { // the axis whose neighbours share a word
    auto basis = [&](int axis, int64_t step) { return axis == 0 ? Coordinate{step, 0} : Coordinate{0, step}; };
    SmallVector<Coordinate> inner, lanes;
    for (int64_t step = 1; step < word; step *= 2)
      inner.push_back(basis(along, step));
    lanes = {basis(along, word), basis(along, 2 * word), basis(1 - along, 1), basis(1 - along, 2), basis(1 - along, 4)};
    return layout.reg.size() >= inner.size() && std::equal(inner.begin(), inner.end(), layout.reg.begin()) &&
           std::equal(lanes.begin(), lanes.end(), layout.lane.begin());
  };
  bool transposed = bytes == 2 && fits(0);
  if (!transposed && !fits(1))
    return false;
  Location loc = op.getLoc();
  int64_t words = layout.registers() / word, first = 0;
  Value base = bufferBase(op.getBuffer());
  Registers loaded;
  int conflicts = 1;
  llvm::SmallVector<std::pair<Layout, std::unique_ptr<SharedAddress>>> addresses; // by how a group's matrices lie
  while (first < words) {
    // As many matrices as lie on a grid that two lane bits can walk.
    int64_t count = std::min<int64_t>(4, words - first);
    auto at = [&](int64_t i) { return layout.at((first + i) * word, 0); };
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
    auto found = llvm::find_if(addresses, [&](const auto &entry) { return entry.first == giving; });
    if (found == addresses.end()) {
      addresses.push_back(
          {giving, std::make_unique<SharedAddress>(*this, op.getBuffer().getType(), base, giving, type.getShape())});
      found = std::prev(addresses.end());
      conflicts = std::max(conflicts, conflictsOf(giving, op.getBuffer().getType(), type.getShape(),
                                                  Swizzle::chunkBytes / bytes, at(0)));
    }
    Value pointer = found->second->pointer(at(0));
    std::string name =
        "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) + (transposed ? ".trans" : "") + ".b16";
    Type i32 = b.getI32Type();
    Type result =
        count == 1 ? i32 : Type(LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, i32)));
    Value all =
        LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name + ".p3"), ValueRange{pointer}).getResult(0);
    for (int64_t i = 0; i < count; ++i)
      loaded.push_back(count == 1 ? all : LLVM::ExtractValueOp::create(b, loc, all, i).getResult());
    first += count;
  }
  registers[op] = unpackWords(b, loc, loaded, heldType(type.getElementType()));
  op.emitRemark() << "ldmatrix" << (transposed ? ", transposed" : "") << ": " << words
                  << " matrices of 8 x 16 bytes a warp, bank conflict degree " << conflicts;
  return true;
}

} // namespace tessera::gpu
