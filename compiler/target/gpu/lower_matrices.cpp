// Shared memory by 8 x 8 matrices: ldmatrix, where a tile is read as a fragment, and stmatrix, where one is written.
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include <numeric>

using namespace mlir;

namespace tessera::gpu {

// What a warp holds of an 8 x 16-byte matrix: words of neighbours along `axis`, four lanes a row of it, eight rows.
static Layout matrixFragment(int axis, int64_t word) {
  return product(product(along(&Layout::reg, axis, word), along(&Layout::lane, axis, 4)),
                 along(&Layout::lane, 1 - axis, 8));
}

// ldmatrix (PTX ISA, "Warp-level matrix load instruction"): lane 4 i + j of a warp gets the j-th 32-bit word of row i
// of an 8 x 16-byte matrix; transposed, for 16-bit elements, the pair at rows 2j, 2j+1 of column i. Lanes 8 m .. 8 m +
// 7 give the rows' addresses of matrix m, up to four at once.
GpuLowering::MatrixPlan GpuLowering::planMatrices(const Layout &layout, RankedTensorType type, tile::SharedType buffer,
                                                  std::optional<int> summed) {
  MatrixPlan plan;
  int64_t bytes = elementBytes(type), word = bytes > 4 ? 0 : 4 / bytes;
  // In the tile's own rows, or in panels of them.
  bool rows = type.getRank() == 2 && (type.getShape() == buffer.getShape() || buffer.getShape().size() == 3);
  if (!rows || !word || layout.lane.size() != 5 || swizzleOf(buffer).pitch() % Swizzle::chunkBytes)
    return plan;
  auto fits = [&](int axis) { return divide(layout, matrixFragment(axis, word)).has_value(); };
  plan.word = word;
  plan.transposed = bytes == 2 && fits(0);
  if (!plan.transposed && !fits(1))
    return plan;
  SmallVector<int64_t> words(layout.registers() / word);
  std::iota(words.begin(), words.end(), 0);
  if (summed) { // what is multiplied together comes together
    auto step = [&](int64_t w) { return layout.at(w * word, 0)[*summed] / layout.block()[*summed]; };
    llvm::stable_sort(words, [&](int64_t x, int64_t y) { return step(x) < step(y); });
  }
  for (ArrayRef<int64_t> rest = words; !rest.empty(); rest = rest.drop_front(plan.groups.back().words.size())) {
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
    Layout giving = along(&Layout::lane, 0, 8);
    giving.lane.push_back(count >= 2 ? one : Coordinate{0, 0});
    giving.lane.push_back(count >= 4 ? two : Coordinate{0, 0});
    giving.warp = layout.warp;
    plan.groups.push_back({SmallVector<int64_t>(rest.take_front(count)), giving});
  }
  return plan;
}

void GpuLowering::SharedReader::loadMatrices(const Matrices &group) {
  OpBuilder &b = lowering.b;
  Location loc = op.getLoc();
  int64_t count = group.words.size();
  Value pointer = addressFor(group.giving).pointer(layout.at(group.words.front() * plan.word, 0));
  std::string name =
      "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) + (plan.transposed ? ".trans" : "") + ".b16.p3";
  Type i32 = b.getI32Type();
  Type result =
      count == 1 ? i32 : Type(LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, i32)));
  Value all = LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), ValueRange{pointer}).getResult(0);
  SmallVector<Value> words;
  for (int64_t i = 0; i < count; ++i)
    words.push_back(count == 1 ? all : LLVM::ExtractValueOp::create(b, loc, all, i).getResult());
  for (auto [i, element] : llvm::enumerate(unpackWords(b, loc, words, heldType(type.getElementType()))))
    elements[group.words[i / plan.word] * plan.word + int64_t(i) % plan.word] = element;
}

// The same the other way round (PTX ISA, "Warp-level matrix store instruction"): halves leave an accumulator's layout.
bool GpuLowering::storeMatrices(tile::SharedStoreOp op) {
  auto type = cast<RankedTensorType>(op.getValue().getType());
  Layout layout = tile::layoutOf(type);
  if (!target.has("stmatrix") || elementBytes(type) != 2 || isFirstHolder(layout))
    return false;
  MatrixPlan plan = planMatrices(layout, type, op.getBuffer().getType(), std::nullopt);
  if (plan.groups.empty())
    return false;
  Location loc = op.getLoc();
  const Registers &values = regs(op.getValue());
  SmallVector<std::pair<Layout, std::unique_ptr<SharedAddress>>> addresses;
  int conflicts = 1;
  for (const Matrices &group : plan.groups) {
    auto known = llvm::find_if(addresses, [&](const auto &entry) { return entry.first == group.giving; });
    if (known == addresses.end()) {
      addresses.push_back(
          {group.giving, std::make_unique<SharedAddress>(*this, Place{op.getBuffer(), slotOf(op.getSlot())},
                                                         group.giving, type.getShape())});
      known = std::prev(addresses.end());
    }
    Coordinate first = layout.at(group.words.front() * plan.word, 0);
    conflicts = std::max(conflicts, conflictsOf(group.giving, op.getBuffer().getType(), type.getShape(),
                                                Swizzle::chunkBytes / elementBytes(type), first));
    SmallVector<Value> operands{known->second->pointer(first)};
    for (int64_t word : group.words) {
      Value packed = packWords(b, loc, ArrayRef<Value>(values).slice(word * plan.word, plan.word)).front();
      operands.push_back(LLVM::BitcastOp::create(b, loc, b.getI32Type(), packed));
    }
    intrinsic("llvm.nvvm.stmatrix.sync.aligned.m8n8.x" + std::to_string(group.words.size()) +
                  (plan.transposed ? ".trans" : "") + ".b16.p3",
              {}, operands);
  }
  op.emitRemark() << "stmatrix" << (plan.transposed ? ", transposed" : "") << ": " << layout.registers() / plan.word
                  << " matrices of 8 x 16 bytes a warp, bank conflict degree " << conflicts;
  return true;
}

} // namespace tessera::gpu
