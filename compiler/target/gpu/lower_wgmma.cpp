// wgmma: dots of whole warpgroups, whose operands in shared memory are named by matrix descriptors (PTX ISA,
// "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Operation" and "Matrix Descriptor Format").
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/inline_asm.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"
#include "compiler/tile/roles.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::gpu {

namespace {
constexpr int64_t stepBytes = 32; // of k, of every element type
constexpr int64_t mostColumns = 256;

std::string listed(size_t first, size_t count) {
  std::string text = "{";
  for (size_t i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(first + i);
  return text + "}";
}
} // namespace

// An operand in shared memory: its descriptor at the beginning, and the bytes from there to a step of k and a place
// along the other axis.
class GpuLowering::MatrixInShared {
public:
  // `perGroup`: rows from one warpgroup's part to the next one's; 0: all read the same.
  MatrixInShared(GpuLowering &lowering, SharedOperand operand, int kAxis, int64_t perGroup)
      : type(operand.load.getBuffer().getType()), kInner((kAxis == 1) != operand.turned) {
    ArrayRef<int64_t> shape = type.getShape();
    elementSize = elementBytes(type.getElementType());
    rows = shape[shape.size() - 2];
    atom = shape.back() * elementSize;
    OpBuilder &b = lowering.b;
    Location loc = operand.load.getLoc();
    OpBuilder::InsertPoint here = b.saveInsertionPoint();
    auto numbered = slotNumber(operand.load.getSlot());
    if (numbered) // the rest is the same in every step
      b.setInsertionPointAfterValue(lowering.sharedBase);
    Value start = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), lowering.bufferBase(operand.load.getBuffer()));
    if (Value slot = operand.load.getSlot(); slot && !numbered)
      start = arith::AddIOp::create(b, loc, start, lowering.scalar(slot));
    if (perGroup) {
      std::vector<int64_t> steps(7, 0); // of the thread's number
      for (int64_t far = offset(perGroup, 0), bit = 0; bit < 3; ++bit, far *= 2)
        steps.push_back(far);
      start = arith::AddIOp::create(b, loc, start, lowering.walk(steps));
    }
    start = arith::ShRUIOp::create(b, loc, start, lowering.constantI32(4));
    int64_t mode = atom == 128 ? 1 : atom == 64 ? 2 : 3;
    int64_t leading = kInner ? 1 : rows * atom >> 4, stride = 8 * atom >> 4;
    Value rest = lowering.constantI64(int64_t(uint64_t(mode) << 62 | uint64_t(stride) << 32 | uint64_t(leading) << 16));
    first = arith::OrIOp::create(b, loc, lowering.widen(start), rest);
    if (!numbered)
      return;
    first = computed(b, loc, "mov.b64 $0, $1;", first, "=l,l"); // LLVM would take it apart in the loop
    b.restoreInsertionPoint(here);
    first = computed(b, loc, "mad.wide.u32 $0, $1, " + std::to_string(numbered->second >> 4) + ", $2;",
                     {lowering.scalar(numbered->first), first}, "=l,r,l");
  }
  bool mnMajor() const { return !kInner; }
  // `along`: elements along m or n; `step`: of k.
  Value at(GpuLowering &lowering, Location loc, int64_t along, int64_t step) {
    int64_t bytes = offset(along, step);
    if (!bytes)
      return first;
    return arith::AddIOp::create(lowering.b, loc, first, lowering.constantI64(bytes >> 4));
  }

private:
  // A slot's number and the bytes of one, where the slot is named so.
  static std::optional<std::pair<Value, int64_t>> slotNumber(Value slot) {
    auto product = slot ? slot.getDefiningOp<arith::MulIOp>() : arith::MulIOp();
    auto bytes = product ? getConstantIntValue(product.getRhs()) : std::nullopt;
    if (!bytes)
      return std::nullopt;
    return std::pair(product.getLhs(), *bytes);
  }
  int64_t offset(int64_t along, int64_t step) const {
    ArrayRef<int64_t> held = type.getShape();
    int64_t shape[] = {rows, held.size() == 3 ? held[0] * held[2] : held[1]}, k = step * stepBytes / elementSize;
    auto [row, column] = placeIn(type, shape, kInner ? Coordinate{along, k} : Coordinate{k, along});
    return row * atom + column * elementSize;
  }
  tile::SharedType type;
  bool kInner;
  int64_t elementSize = 0, rows = 0, atom = 0;
  Value first;
};

Value GpuLowering::pastRestart(tile::DotOp op) {
  auto loop = op->getParentOfType<scf::ForOp>();
  if (!op->hasAttr(restartsAttr))
    return {};
  return arith::CmpIOp::create(b, op.getLoc(), arith::CmpIPredicate::ne, scalar(loop.getInductionVar()),
                               scalar(loop.getLowerBound()));
}

void GpuLowering::lowerWarpgroupDot(tile::DotOp op) {
  Location loc = op.getLoc();
  auto layoutOf = [](Value value) { return tile::layoutOf(cast<RankedTensorType>(value.getType())); };
  Layout acc = layoutOf(op.getResult()), lhs = layoutOf(op.getLhs());
  int warps = 1 << acc.warp.size();
  const WgmmaOp &wgmma = *chooseWgmma(target, op, warps);
  int64_t depth = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  int64_t blocks = acc.rep[0], all = acc.shape()[1], steps = depth / wgmma.k;
  int64_t columns = std::min(all, mostColumns);
  while (all % columns || columns % wgmma.columnStep)
    columns -= 8;

  Registers values = regs(op.getAcc());
  SharedOperand left = sharedOperand(op.getLhs()), right = sharedOperand(op.getRhs());
  int64_t groups = warps / 4;
  std::optional<MatrixInShared> a;
  if (left.load)
    a.emplace(*this, left, 1, groups > 1 ? 64 : 0);
  MatrixInShared other(*this, right, 0, 0);

  // What is multiplied from registers: four words an operation.
  Registers words;
  int64_t perA = 1 << lhs.reg.size();
  if (!left.load)
    for (int64_t i = 0; i < blocks * steps; ++i)
      for (Value word : packWords(b, loc, operandOf(op.getLhs(), i * perA, perA)))
        words.push_back(word.getType() == b.getI32Type()
                            ? word
                            : LLVM::BitcastOp::create(b, loc, b.getI32Type(), word).getResult());

  // Sums that begin at zero are not read: the first operation of each only writes them.
  bool fresh = matchPattern(op.getAcc(), m_AnyZeroFloat());
  if (fresh)
    values.assign(values.size(), LLVM::UndefOp::create(b, loc, values.front().getType()));

  Value goesOn = pastRestart(op);

  // Everything that the registers were used for comes before the fence.
  Registers used = words;
  if (!fresh)
    used.append(values);
  through(b, loc, "wgmma.fence.sync.aligned;", used);
  words.assign(used.begin(), used.begin() + words.size());
  if (!fresh)
    values.assign(used.begin() + words.size(), used.end());

  std::string name = "wgmma.mma_async.sync.aligned.m64n" + std::to_string(columns) + "k" + std::to_string(wgmma.k) +
                     "." + std::string(wgmma.types) + " ";
  size_t each = columns / 2; // accumulators of an operation
  std::string flags = wgmma.lhs == i8 || wgmma.lhs == u8 ? "" : ", 1, 1";
  if (wgmma.anyMajor)
    flags += (left.load ? a->mnMajor() ? ", 1" : ", 0" : "") + std::string(other.mnMajor() ? ", 1" : ", 0");
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t column = 0; column < all; column += columns) {
        SmallVector<Value> read;
        std::string constraints, operands;
        size_t next = 2 * each;
        if (left.load) {
          read.push_back(a->at(*this, loc, block * 64 * groups, step));
          operands = "$" + std::to_string(next++);
          constraints = "l,";
        } else {
          llvm::append_range(read, ArrayRef<Value>(words).slice((block * steps + step) * 4, 4));
          operands = listed(next, 4);
          next += 4;
          constraints = "r,r,r,r,";
        }
        read.push_back(other.at(*this, loc, column, step));
        std::string adds = fresh && step == 0 ? "0" : "1";
        constraints += "l";
        if (goesOn && step == 0) {
          adds = "$" + std::to_string(next + 1);
          read.push_back(goesOn);
          constraints += ",b";
        }
        std::string text =
            name + listed(0, each) + ", " + operands + ", $" + std::to_string(next) + ", " + adds + flags + ";";
        through(b, loc, text, MutableArrayRef<Value>(values).slice((block * all + column) / 2, each), read,
                constraints);
      }
  auto pending = op->getAttrOfType<IntegerAttr>(tile::pendingAttr);
  through(b, loc,
          "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned " +
              std::to_string(pending ? pending.getInt() : 0) + ";",
          values);
  op.emitRemark() << "dot: " << values.size() << " accumulators a thread, wgmma.m64n" << columns << "k" << wgmma.k
                  << ", left operand in " << (left.load ? "shared memory" : "registers") << ", " << warpsText(acc);
  registers[op] = values;
}

void GpuLowering::lowerSettle(tile::SettleOp op) {
  Registers values = regs(op.getValue());
  through(b, op.getLoc(), "wgmma.wait_group.sync.aligned 0;", values);
  registers[op] = values;
}

} // namespace tessera::gpu
