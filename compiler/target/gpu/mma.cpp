#include "compiler/target/gpu/mma.h"
#include "compiler/layout/algebra.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <array>
#include <set>

using namespace mlir;

namespace tessera::gpu {

// Best first. Shapes and fragments: PTX ISA, "Matrix multiply-accumulate operation using mma instruction".
static constexpr std::array rows = {
    MmaOp{"llvm.nvvm.mma.m16n8k16.row.col.f32.f32", f16, f16, f32, 16, 8, 16, "f16_mma"},
    MmaOp{"llvm.nvvm.mma.m16n8k8.row.col.f32.f32", f16, f16, f32, 16, 8, 8, "f16_mma_k8"},
    MmaOp{"llvm.nvvm.mma.m16n8k16.row.col.bf16", bf16, bf16, f32, 16, 8, 16, "bf16"},
    MmaOp{"llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32", e4m3, e4m3, f32, 16, 8, 32, "fp8"},
    MmaOp{"llvm.nvvm.mma.m16n8k32.row.col.f32.e5m2.e5m2.f32", e5m2, e5m2, f32, 16, 8, 32, "fp8"},
    MmaOp{"llvm.nvvm.mma.m16n8k8.row.col.tf32", f32, f32, f32, 16, 8, 8, "tf32_mma", true},
    MmaOp{"llvm.nvvm.mma.m16n8k32.row.col.s8", i8, i8, i32, 16, 8, 32, "s8_mma"},
    MmaOp{"llvm.nvvm.mma.m16n8k32.row.col.s8.u8", i8, u8, i32, 16, 8, 32, "s8_mma"},
    MmaOp{"llvm.nvvm.mma.m16n8k32.row.col.u8.s8", u8, i8, i32, 16, 8, 32, "s8_mma"},
    MmaOp{"llvm.nvvm.mma.m16n8k32.row.col.u8", u8, u8, i32, 16, 8, 32, "s8_mma"},
    MmaOp{"llvm.nvvm.mma.m8n8k16.row.col.s8", i8, i8, i32, 8, 8, 16, "s8_mma_k16"},
    MmaOp{"llvm.nvvm.mma.m8n8k16.row.col.s8.u8", i8, u8, i32, 8, 8, 16, "s8_mma_k16"},
    MmaOp{"llvm.nvvm.mma.m8n8k16.row.col.u8.s8", u8, i8, i32, 8, 8, 16, "s8_mma_k16"},
    MmaOp{"llvm.nvvm.mma.m8n8k16.row.col.u8", u8, u8, i32, 8, 8, 16, "s8_mma_k16"},
    MmaOp{"llvm.nvvm.idp4a.s.s", i8, i8, i32, 1, 1, 4, ""},
    MmaOp{"llvm.nvvm.idp4a.s.u", i8, u8, i32, 1, 1, 4, ""},
    MmaOp{"llvm.nvvm.idp4a.u.s", u8, i8, i32, 1, 1, 4, ""},
    MmaOp{"llvm.nvvm.idp4a.u.u", u8, u8, i32, 1, 1, 4, ""},
    MmaOp{"fma", f32, f32, f32, 1, 1, 1, ""},
    MmaOp{"mul+add", i32, i32, i32, 1, 1, 1, ""},
};

static std::optional<DType> operandType(Type element, bool isUnsigned) {
  if (element.isF32())
    return f32;
  if (element.isF16())
    return f16;
  if (element.isBF16())
    return bf16;
  if (isa<Float8E4M3FNType>(element))
    return e4m3;
  if (isa<Float8E5M2Type>(element))
    return e5m2;
  if (element.isInteger(32))
    return i32;
  if (element.isInteger(8))
    return isUnsigned ? u8 : i8;
  return std::nullopt;
}

const MmaOp *chooseMma(const Target &target, tile::DotOp dot) {
  auto lhs = cast<RankedTensorType>(dot.getLhs().getType()), rhs = cast<RankedTensorType>(dot.getRhs().getType());
  auto lhsType = operandType(lhs.getElementType(), dot.getLhsUnsigned()),
       rhsType = operandType(rhs.getElementType(), dot.getRhsUnsigned());
  int64_t m = lhs.getDimSize(0), n = rhs.getDimSize(1);
  if (isTurned(dot))
    std::swap(lhsType, rhsType), std::swap(m, n);
  for (const MmaOp &row : rows)
    if (row.lhs == lhsType && row.rhs == rhsType && (row.needs.empty() || target.has(row.needs)) &&
        (!row.tf32 || dot.getTf32()) && m % row.m == 0 && n % row.n == 0 && lhs.getDimSize(1) % row.k == 0)
      return &row;
  return nullptr;
}

WarpGrid warpGrid(const MmaOp &op, ArrayRef<int64_t> acc, int warps, WarpSplit split) {
  WarpGrid grid;
  int64_t rowsPerWarp = acc[0], columns = acc[1];
  for (; warps > 1; warps /= 2) {
    bool rowsFirst = split == WarpSplit::square
                         ? rowsPerWarp >= columns
                         : split == WarpSplit::rowsOnly || rowsPerWarp > 2 * op.m || rowsPerWarp * 4 > columns;
    if (rowsPerWarp % (2 * op.m) == 0 && rowsFirst)
      rowsPerWarp /= 2, grid.m *= 2;
    else if (columns % (2 * op.n) == 0)
      columns /= 2, grid.n *= 2;
    else if (rowsPerWarp % (2 * op.m) == 0)
      rowsPerWarp /= 2, grid.m *= 2;
    else
      grid.spare *= 2;
  }
  return grid;
}

static Layout productOf(std::initializer_list<Layout> parts) {
  Layout out;
  out.rep = {1, 1};
  for (const Layout &part : parts)
    out = product(out, part);
  return out;
}

static int64_t powerIn(int64_t extent, int64_t most) {
  int64_t power = 1;
  while (power < most && extent % (2 * power) == 0)
    power *= 2;
  return power;
}

Layout accLayout(const MmaOp &op, ArrayRef<int64_t> acc, int warps, WarpSplit split, int64_t neighbours) {
  Layout out;
  int64_t perRow = op.m, perColumn = op.n;
  if (op.matrix()) {
    if (int64_t rows = acc[0] / warpGrid(op, acc, warps, split).m; neighbours && rows % op.m == 0)
      perRow = 8 * powerIn(rows / 8, neighbours);
    // Rows side by side come first in the registers: a wide access, where they are so in memory.
    Layout held = along(&Layout::reg, 0, perRow / 8), columns = along(&Layout::reg, 1, 2),
           quads = along(&Layout::lane, 1, 4), rows = along(&Layout::lane, 0, 8);
    out = neighbours ? productOf({held, columns, quads, rows}) : productOf({columns, quads, rows, held});
  } else {
    // Each thread owns a patch of up to 4 x 4, or a smaller one where lanes would compute the same as others; the lanes
    // lie along the columns first.
    int64_t each = std::max<int64_t>(acc[0] * acc[1] / (32 * warps), 1);
    perColumn = powerIn(acc[1], std::min<int64_t>(each, 4));
    perRow = powerIn(acc[0], std::clamp<int64_t>(each / perColumn, 1, 4));
    while (perRow * perColumn > 1 && powerIn(acc[0] / perRow, 32) * powerIn(acc[1] / perColumn, 32) < 32)
      (perRow > 1 ? perRow : perColumn) /= 2;
    out = productOf({along(&Layout::reg, 1, perColumn), along(&Layout::reg, 0, perRow)});
    for (int bit = 0; bit < 5; ++bit) {
      if (acc[1] % (2 * perColumn) == 0 && (bit < 3 || acc[0] % (2 * perRow) != 0))
        out.lane.push_back({0, perColumn}), perColumn *= 2;
      else if (acc[0] % (2 * perRow) == 0)
        out.lane.push_back({perRow, 0}), perRow *= 2;
      else
        out.lane.push_back({0, 0});
    }
  }
  MmaOp unit = op;
  unit.n = int(perColumn);
  if (!op.matrix())
    unit.m = int(perRow);
  WarpGrid grid = warpGrid(unit, acc, warps, split);
  Layout blocks = productOf({along(&Layout::warp, 0, grid.m), along(&Layout::warp, 1, grid.n)});
  for (int spare = 1; spare < grid.spare; spare *= 2)
    blocks.warp.push_back({0, 0});
  blocks.rep = {acc[0] / (perRow * grid.m), acc[1] / (perColumn * grid.n)};
  return product(out, blocks);
}

// The operand's fragment: `axis` is the one it shares with the accumulator.
static Layout operandLayout(const MmaOp &op, const Layout &acc, int axis, int64_t depth, int64_t run) {
  Layout out = acc.sliced(1 - axis);
  int64_t bits = info(axis == 0 ? op.lhs : op.rhs).bits, word = 32 / bits, kAxis = 1 - axis;
  if (op.matrix()) {
    // Along the shared axis the operand's registers and lanes walk as the accumulator's, but that its columns 2j and 2j
    // + 1 are a thread's of the one and two lanes' of the other.
    std::vector<Coordinate> held, lanes;
    for (const Coordinate &basis : acc.reg)
      if (basis[axis])
        held.push_back(basis);
    if (axis == 1)
      lanes.push_back(held.back()), held.pop_back();
    for (const Coordinate &basis : acc.lane)
      if (basis[axis])
        lanes.push_back(basis);
    Layout shared = out;
    shared.reg = held, shared.lane = lanes, shared.warp.clear(), shared.rep = {1, 1};
    std::vector<Coordinate> warps = out.warp;
    Coordinate rep = out.rep;
    out = productOf({along(&Layout::reg, kAxis, run ? run : word), along(&Layout::lane, kAxis, 4), shared,
                     along(&Layout::reg, kAxis, run ? 1 : op.k / (4 * word))});
    out.warp = warps, out.rep = rep;
  } else {
    Coordinate rep = out.rep;
    out = product(along(&Layout::reg, kAxis, op.k), out);
    out.rep = rep;
  }
  out.rep[kAxis] = depth / (run ? 4 * run : op.k);
  return out;
}

Layout lhsLayout(const MmaOp &op, const Layout &acc, int64_t depth, int64_t run) {
  return operandLayout(op, acc, 0, depth, run);
}
Layout rhsLayout(const MmaOp &op, const Layout &acc, int64_t depth, int64_t run) {
  return operandLayout(op, acc, 1, depth, run);
}

Fragments::Matrix::Matrix(const Layout &layout, bool turned) : pitch(layout.shape()[turned ? 0 : 1]) {
  for (int64_t r = 0; r < layout.registers(); ++r) {
    Coordinate at = layout.at(r, 0);
    registers[at[turned] * pitch + at[!turned]] = r;
  }
}

Fragments::Held Fragments::Matrix::along(int axis) const {
  std::set<int64_t> places;
  for (auto [element, number] : registers)
    places.insert(axis == 0 ? element / pitch : element % pitch);
  return {places.begin(), places.end()};
}

// PTX ISA, "Matrix Fragments for mma": a thread has words of neighbours along k; rows r and r + 8 of the left operand,
// for each half of k; of the sums two columns, which are two lanes' of the right operand, in rows r and r + 8.
Fragments::Fragments(const MmaOp &op, const Layout &lhs, const Layout &rhs, const Layout &acc, bool turned)
    : left(turned ? rhs : lhs, turned), right(turned ? lhs : rhs, turned), sums(acc, turned), rowsHeld(left.along(0)),
      columnsHeld(right.along(1)), depthsHeld(left.along(1)), rowsEach(op.m / 8), depthsEach(op.k / 4),
      word(32 / info(op.lhs).bits), secondColumn(turned ? lhs.lane[2][0] : rhs.lane[2][1]) {}

SmallVector<int64_t> Fragments::lhs(int64_t row, int64_t step) const {
  SmallVector<int64_t> out;
  for (int64_t k = step * depthsEach; k < (step + 1) * depthsEach; k += word)
    for (int64_t r = row * rowsEach; r < (row + 1) * rowsEach; ++r)
      for (int64_t i = 0; i < word; ++i)
        out.push_back(left.at(rowsHeld[r], depthsHeld[k + i]));
  return out;
}

SmallVector<int64_t> Fragments::rhs(int64_t step, int64_t column) const {
  SmallVector<int64_t> out;
  for (int64_t k = step * depthsEach; k < (step + 1) * depthsEach; ++k)
    out.push_back(right.at(depthsHeld[k], columnsHeld[column]));
  return out;
}

SmallVector<int64_t> Fragments::acc(int64_t row, int64_t column) const {
  SmallVector<int64_t> out;
  for (int64_t r = row * rowsEach; r < (row + 1) * rowsEach; ++r)
    for (int64_t second : {int64_t(0), secondColumn})
      out.push_back(sums.at(rowsHeld[r], columnsHeld[column] + second));
  return out;
}

Layout withNeighboursAlong(Layout operand, int kAxis, int64_t most) {
  int64_t run = powerIn(operand.rep[kAxis], most);
  operand.rep[kAxis] /= run;
  return product(along(&Layout::reg, kAxis, run), operand);
}

SmallVector<Value> packWords(OpBuilder &b, Location loc, ValueRange elements) {
  Type element = elements.front().getType();
  int64_t perWord = 32 / element.getIntOrFloatBitWidth();
  if (perWord == 1)
    return llvm::to_vector(elements);
  auto type = VectorType::get({perWord}, element);
  SmallVector<Value> words;
  for (size_t i = 0; i < elements.size(); i += perWord) {
    Value word = LLVM::PoisonOp::create(b, loc, type);
    for (int64_t j = 0; j < perWord; ++j)
      word = LLVM::InsertElementOp::create(b, loc, word, elements[i + j],
                                           arith::ConstantIntOp::create(b, loc, b.getI32Type(), j));
    words.push_back(word);
  }
  return words;
}

SmallVector<Value> unpackWords(OpBuilder &b, Location loc, ValueRange words, Type element) {
  int64_t perWord = 32 / element.getIntOrFloatBitWidth();
  SmallVector<Value> elements;
  for (Value word : words) {
    Type type = perWord == 1 ? element : VectorType::get({perWord}, element);
    if (word.getType() != type)
      word = LLVM::BitcastOp::create(b, loc, type, word);
    for (int64_t j = 0; j < perWord; ++j)
      elements.push_back(perWord == 1 ? word
                                      : LLVM::ExtractElementOp::create(
                                            b, loc, word, arith::ConstantIntOp::create(b, loc, b.getI32Type(), j))
                                            .getResult());
  }
  return elements;
}

static Value asI32(OpBuilder &b, Location loc, Value word) {
  return word.getType() == b.getI32Type() ? word : LLVM::BitcastOp::create(b, loc, b.getI32Type(), word).getResult();
}

// mma reads the upper 19 bits: without rounding first it would cut.
static Value roundTf32(OpBuilder &b, Location loc, Value x) {
  return LLVM::CallIntrinsicOp::create(b, loc, b.getI32Type(), b.getStringAttr("llvm.nvvm.f2tf32.rna"), x).getResult(0);
}

void emitMma(OpBuilder &b, Location loc, const MmaOp &op, ValueRange lhs, ValueRange rhs, MutableArrayRef<Value> acc) {
  if (op.k == 1) {
    acc[0] = op.lhs == f32
                 ? math::FmaOp::create(b, loc, lhs[0], rhs[0], acc[0]).getResult()
                 : arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, lhs[0], rhs[0]), acc[0]).getResult();
    return;
  }
  SmallVector<Value> operands;
  for (ValueRange side : {lhs, rhs})
    for (Value word : packWords(b, loc, side))
      operands.push_back(op.lhs == f16 ? word : op.tf32 ? roundTf32(b, loc, word) : asI32(b, loc, word));
  llvm::append_range(operands, acc);
  auto call = [&](Type result) {
    return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(StringRef(op.name.data(), op.name.size())),
                                         operands)
        .getResult(0);
  };
  if (!op.matrix()) {
    acc[0] = call(b.getI32Type());
    return;
  }
  Value all = call(LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(acc.size(), acc[0].getType())));
  for (auto [i, value] : llvm::enumerate(acc))
    value = LLVM::ExtractValueOp::create(b, loc, all, int64_t(i));
}

} // namespace tessera::gpu
