// Global memory: tile loads, stores and atomics. Elements of a thread that lie side by side move
// together as far as alignment allows; where a bound or mask can cut, the instruction is predicated.
#include "compiler/passes/inside.h"
#include "compiler/target/gpu/address.h"
#include "compiler/target/gpu/carry_pointers.h"
#include "compiler/target/gpu/explain.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/tile/access.h"

using namespace mlir;

namespace tessera::gpu {

static Value also(OpBuilder &b, Location loc, Value x, Value y) {
  return !x ? y : !y ? x : arith::AndIOp::create(b, loc, x, y).getResult();
}

static BlockArgument viewArgument(Operation *access) {
  return cast<BlockArgument>(access->getOperand(isa<tile::StoreOp, tile::AtomicAddOp>(access) ? 1 : 0));
}

GpuLowering::Address GpuLowering::addressOf(Operation *access, const Layout &layout) {
  BlockArgument view = viewArgument(access);
  Location loc = access->getLoc();
  Address a{.loc = loc, .layout = layout, .axes = tile::axesOf(access)};
  a.sizes = extents.find(view)->second;
  a.pure = kernel.getArgAttrOfType<StringAttr>(view.getArgNumber(), tile::accessAttr) == "in";
  a.element = heldType(tile::viewOf(access).getElementType());
  for (const tile::AxisAccess &axis : a.axes)
    a.origins.push_back(axis.index && axis.kind != tile::Subscript::each ? scalar(axis.index) : Value());
  a.base = scalar(view);
  if (tile::packedFormat(tile::viewOf(access)))
    return a;
  auto pointer = a.base.getType();
  Value stride = constantI64(1), origin = constantI64(0), mine = constantI64(0);
  a.strides.resize(a.axes.size());
  for (int axis = int(a.axes.size()) - 1; axis >= 0; --axis) {
    a.strides[axis] = stride;
    if (a.origins[axis])
      origin = arith::AddIOp::create(b, loc, origin, arith::MulIOp::create(b, loc, a.origins[axis], stride));
    int tileAxis = a.axes[axis].tileAxis;
    if (tileAxis >= 0 && a.axes[axis].kind != tile::Subscript::each) {
      Value step = widen(walk(stepsOf(layout, [&](const Coordinate &at) { return at[tileAxis]; })));
      mine = arith::AddIOp::create(b, loc, mine, arith::MulIOp::create(b, loc, step, stride));
    }
    if (axis > 0)
      stride = arith::MulIOp::create(b, loc, stride, a.sizes[axis]);
  }
  // The thread's share first: it does not change in loops.
  a.base = LLVM::GEPOp::create(b, loc, pointer, a.element, a.base, ArrayRef<LLVM::GEPArg>{mine});
  a.base = LLVM::GEPOp::create(b, loc, pointer, a.element, a.base, ArrayRef<LLVM::GEPArg>{origin});
  return a;
}

// The i64 index that a gathered axis has for the thread's element at `at`.
Value GpuLowering::positionOf(Address &a, int axis, const Coordinate &at) {
  Value index = a.axes[axis].index;
  Layout layout = tile::layoutOf(cast<RankedTensorType>(index.getType()));
  for (int64_t r = 0; r < layout.registers(); ++r)
    if (layout.at(r, 0)[0] == at[a.axes[axis].tileAxis])
      return arith::ExtSIOp::create(b, a.loc, b.getI64Type(), regs(index)[r]);
  llvm_unreachable("tile-assign-gpu-layouts gives every thread the positions of its elements");
}

// From row to row by additions that LLVM cannot see through: it would keep a 64-bit pointer a row in registers all
// along.
Value GpuLowering::rowPointer(Address &a, Value pointer, int64_t axis, int64_t place) {
  if (place == 0)
    return a.rows[{axis, 0}] = pointer;
  auto next = a.rows.lower_bound({axis, place});
  if (next != a.rows.end() && next->first == std::pair(axis, place))
    return next->second;
  auto below = next == a.rows.begin() ? next : std::prev(next);
  bool first = below == next || below->first.first != axis;
  int64_t distance = place - (first ? 0 : below->first.second);
  Value &step = a.rowSteps[{axis, distance}];
  if (!step)
    step = arith::MulIOp::create(b, a.loc, constantI64(distance * elementBytes(a.element)), a.strides[axis]);
  Value moved =
      LLVM::InlineAsmOp::create(b, a.loc, pointer.getType(), ValueRange{first ? pointer : below->second, step},
                                "add.s64 $0, $1, $2;", "=l,l,l", /*has_side_effects=*/false,
                                /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
                                LLVM::AsmDialectAttr(), ArrayAttr())
          .getResult(0);
  return a.rows[{axis, place}] = moved;
}

// Pointer to the thread's element whose register coordinate is `at`, but for the bytes after it that are returned too.
std::pair<Value, int64_t> GpuLowering::elementPlace(Address &a, const Coordinate &at) {
  Value pointer = a.base;
  auto move = [&](LLVM::GEPArg by) {
    pointer = LLVM::GEPOp::create(b, a.loc, pointer.getType(), a.element, pointer, ArrayRef<LLVM::GEPArg>{by});
  };
  int64_t last = 0, walked = 0;
  for (auto [axis, access] : llvm::enumerate(a.axes))
    walked += access.tileAxis >= 0 && axis + 1 < a.axes.size();
  for (auto [axis, access] : llvm::enumerate(a.axes)) {
    if (access.tileAxis < 0)
      continue;
    if (access.kind == tile::Subscript::each)
      move(arith::MulIOp::create(b, a.loc, positionOf(a, int(axis), at), a.strides[axis]).getResult());
    else if (axis + 1 == a.axes.size())
      last = at[access.tileAxis];
    else if (a.inPipeline && walked == 1)
      pointer = rowPointer(a, pointer, int64_t(axis), at[access.tileAxis]);
    else if (at[access.tileAxis])
      move(arith::MulIOp::create(b, a.loc, constantI64(at[access.tileAxis]), a.strides[axis]).getResult());
  }
  return {pointer, last * elementBytes(a.element)};
}

Value GpuLowering::elementPointer(Address &a, const Coordinate &at) {
  auto [pointer, rest] = elementPlace(a, at);
  if (!rest)
    return pointer;
  return LLVM::GEPOp::create(b, a.loc, pointer.getType(), a.element, pointer,
                             ArrayRef<LLVM::GEPArg>{int32_t(rest / elementBytes(a.element))});
}

// How much of the axis is left from the thread's place on: the register's elements are inside while their place is
// less. A place fits in 32 bits, and so does what is cut to that.
Value GpuLowering::leftOf(Address &a, int64_t axis) {
  Value &left = a.left[axis];
  if (left)
    return left;
  int64_t unit = a.unitOf(axis), tileAxis = a.axes[axis].tileAxis;
  Value room = arith::SubIOp::create(b, a.loc, scalar(a.axes[axis].bound), a.origins[axis]);
  room = arith::MaxSIOp::create(b, a.loc, room, constantI64(0));
  room = arith::MinSIOp::create(b, a.loc, room, constantI64(1 << 30));
  Value mine = walk(stepsOf(a.layout, [&](const Coordinate &basis) { return basis[tileAxis] * unit; }));
  room = arith::TruncIOp::create(b, a.loc, b.getI32Type(), room);
  return left = arith::SubIOp::create(b, a.loc, room, mine);
}

// When the elements that move with register r may be accessed.
Value GpuLowering::guardOf(Address &a, int64_t r) {
  Value guard = a.when;
  if (a.mask)
    guard = also(b, a.loc, guard, (*a.mask)[r]);
  Coordinate at = a.layout.rank() ? a.layout.at(r, 0) : Coordinate{};
  for (auto [axis, access] : llvm::enumerate(a.axes)) {
    if (access.kind != tile::Subscript::range)
      continue;
    int64_t place = at[access.tileAxis];
    Value &known = a.inside[{int64_t(axis), place}];
    if (!known)
      known = arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::sgt, leftOf(a, int64_t(axis)),
                                    constantI32(place * a.unitOf(int64_t(axis))));
    guard = also(b, a.loc, guard, known);
  }
  return guard;
}

// How many consecutive registers move together: as many as lie side by side, are aligned, and are cut together.
int64_t GpuLowering::vectorLength(const Address &a, Operation *access) {
  int64_t most = std::min(contiguous(a.layout), widestAccess(access));
  auto maskedAlike = [&](int64_t vector) {
    for (size_t r = 0; a.mask && r < a.mask->size(); ++r)
      if ((*a.mask)[r] != (*a.mask)[r / vector * vector])
        return false;
    return true;
  };
  while (most > 1 && !maskedAlike(most))
    most /= 2;
  const tile::AxisAccess &last = a.axes.back();
  if (last.kind == tile::Subscript::range)
    while (most > 1 && (knownDivisor(last.bound) % most || knownDivisor(last.index) % most))
      most /= 2;
  return most;
}

static std::string operandName(int number) { return "$" + std::to_string(number); }

// "v2.b32", "b16", ...: how PTX moves so many bytes, and the words they make.
struct Words {
  std::string suffix, letter;
  int count;
  Type type;
  Words(OpBuilder &b, int64_t bytes) {
    count = bytes > 4 ? int(bytes / 4) : 1;
    letter = bytes >= 4 ? "r" : "h";
    suffix = (count > 1 ? "v" + std::to_string(count) + "." : "") + (bytes >= 4 ? "b32" : bytes == 2 ? "b16" : "b8");
    type = bytes >= 4 ? b.getI32Type() : b.getI16Type();
  }
  std::string list(int first) const {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += (i ? ", " : "") + operandName(first + i);
    return count > 1 ? "{" + text + "}" : text;
  }
};

static int64_t bytesOf(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getNumElements() * elementBytes(vector);
  return elementBytes(type);
}

// An element or vector of elements; where the guard is false what `otherwise` is, else zeros, or anything where a.when
// is.
Value GpuLowering::loadBits(Type type, Value pointer, Value guard, Address &a, Value otherwise) {
  int64_t bytes = bytesOf(type);
  bool zeros = guard && guard != a.when && !otherwise;
  if (!guard) {
    auto load = LLVM::LoadOp::create(b, a.loc, type, pointer, bytes);
    load.setInvariant(a.pure);
    return load;
  }
  Words words(b, bytes);
  std::string text, constraints;
  SmallVector<Value> operands{pointer, guard};
  if (otherwise) { // the same registers
    if (bytes == 1)
      otherwise = arith::ExtUIOp::create(b, a.loc, words.type, otherwise);
    Type all = words.count > 1 ? Type(VectorType::get({words.count}, words.type)) : words.type;
    if (otherwise.getType() != all)
      otherwise = LLVM::BitcastOp::create(b, a.loc, all, otherwise);
    for (int i = 0; i < words.count; ++i)
      operands.push_back(words.count > 1
                             ? LLVM::ExtractElementOp::create(b, a.loc, otherwise, constantI32(i)).getResult()
                             : otherwise);
  }
  for (int i = 0; i < words.count; ++i) {
    if (zeros)
      text += (words.letter == "r" ? "mov.b32 " : "mov.b16 ") + operandName(i) + ", 0; ";
    constraints += (zeros ? "=&" : "=") + words.letter + ",";
  }
  text += "@" + operandName(words.count + 1) + " ld.global." + (a.pure ? "nc." : "") + words.suffix + " " +
          words.list(0) + ", [" + operandName(words.count) + "];";
  constraints += "l,b";
  for (int i = 0; otherwise && i < words.count; ++i)
    constraints += "," + std::to_string(i);
  if (!a.pure)
    constraints += ",~{memory}";
  Type result = words.count == 1
                    ? words.type
                    : LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(words.count, words.type));
  Value loaded = LLVM::InlineAsmOp::create(b, a.loc, result, operands, text, constraints,
                                           /*has_side_effects=*/!a.pure, /*is_align_stack=*/false,
                                           LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
                     .getResult(0);
  if (words.count > 1) {
    auto vector = VectorType::get({words.count}, words.type);
    Value all = LLVM::PoisonOp::create(b, a.loc, vector);
    for (int i = 0; i < words.count; ++i)
      all = LLVM::InsertElementOp::create(b, a.loc, all, LLVM::ExtractValueOp::create(b, a.loc, loaded, int64_t(i)),
                                          constantI32(i));
    loaded = all;
  }
  if (bytes == 1)
    loaded = arith::TruncIOp::create(b, a.loc, b.getI8Type(), loaded);
  return loaded.getType() == type ? loaded : LLVM::BitcastOp::create(b, a.loc, type, loaded).getResult();
}

void GpuLowering::storeBits(Value value, Value pointer, Value guard) {
  Location loc = pointer.getLoc();
  int64_t bytes = bytesOf(value.getType());
  if (!guard) {
    LLVM::StoreOp::create(b, loc, value, pointer, bytes);
    return;
  }
  Words words(b, bytes);
  SmallVector<Value> operands;
  std::string constraints;
  if (bytes == 1) {
    operands.push_back(arith::ExtUIOp::create(b, loc, b.getI16Type(), value));
  } else if (words.count == 1) {
    operands.push_back(value.getType() == words.type ? value : LLVM::BitcastOp::create(b, loc, words.type, value));
  } else {
    Value all = LLVM::BitcastOp::create(b, loc, VectorType::get({words.count}, words.type), value);
    for (int i = 0; i < words.count; ++i)
      operands.push_back(LLVM::ExtractElementOp::create(b, loc, all, constantI32(i)));
  }
  for (int i = 0; i < words.count; ++i)
    constraints += words.letter + ",";
  operands.push_back(pointer);
  operands.push_back(guard);
  std::string text = "@" + operandName(words.count + 1) + " st.global." + words.suffix + " [" +
                     operandName(words.count) + "], " + words.list(0) + ";";
  LLVM::InlineAsmOp::create(b, loc, LLVM::LLVMVoidType::get(b.getContext()), operands, text,
                            constraints + "l,b,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
                            LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
}

static void explain(Operation *op, const Layout &layout, int64_t vector, bool guarded) {
  int64_t bytes = elementBytes(tile::viewOf(op).getElementType()), registers = layout.registers();
  auto remark = op->emitRemark() << (isa<tile::CopyOp>(op)   ? "asynchronous copy: "
                                     : isa<tile::LoadOp>(op) ? "load: "
                                                             : "store: ")
                                 << registers / vector << (registers == vector ? " access of " : " accesses of ")
                                 << vector * bytes << " bytes a thread" << (guarded ? ", predicated" : "");
  if (std::string limit = widthLimit(op, layout, vector); !limit.empty())
    remark << ", no wider because " << limit;
}

void GpuLowering::lowerLoad(tile::LoadOp op) {
  Layout layout = layoutOfAccess(op.getType());
  Address a = addressOf(op, layout);
  if (op.getMask())
    a.mask = &regs(op.getMask());
  if (op.getWhen())
    a.when = scalar(op.getWhen()), a.inPipeline = true, markCarried(a.base);
  int64_t vector = layout.rank() ? vectorLength(a, op) : 1;
  Registers out;
  bool guarded = false;
  for (int64_t r = 0; r < layout.registers(); r += vector) {
    Coordinate at = layout.rank() ? layout.at(r, 0) : Coordinate{};
    Value guard = guardOf(a, r);
    guarded |= bool(guard);
    Type type = vector > 1 ? Type(VectorType::get({vector}, a.element)) : a.element;
    Value loaded = loadBits(type, elementPointer(a, at), guard, a);
    for (int64_t i = 0; i < vector; ++i)
      out.push_back(vector > 1 ? LLVM::ExtractElementOp::create(b, a.loc, loaded, constantI32(i)).getResult() : loaded);
  }
  explain(op, layout, vector, guarded);
  registers[op] = out;
}

// One cp.async a vector, predicated by `when`; beyond a bound nothing is read and zeros are written.
void GpuLowering::lowerCopy(tile::CopyOp op) {
  auto type = cast<RankedTensorType>(op.getTile());
  Layout layout = tile::layoutOf(type);
  Address a = addressOf(op, layout);
  if (op.getMask())
    a.mask = &regs(op.getMask());
  Value when = also(b, a.loc, op.getWhen() ? scalar(op.getWhen()) : Value(), isFirstHolder(layout));
  int64_t vector = accessVector(op, layout), bytes = vector * elementBytes(type);
  if ((a.inPipeline = bool(op.getWhen())))
    markCarried(a.base);
  SharedAddress to(*this, {op.getBuffer(), slotOf(op.getSlot())}, layout, type.getShape());
  bool guarded = false;
  for (int64_t r = 0; r < layout.registers(); r += vector) {
    Value guard = guardOf(a, r);
    guarded |= bool(guard);
    auto [shared, sharedOffset] = to.place(layout.at(r, 0));
    auto [global, globalOffset] = elementPlace(a, layout.at(r, 0));
    SmallVector<Value> operands = {shared, global};
    std::string text = std::string("cp.async.") + (bytes == 16 ? "cg" : "ca") + ".shared.global [$0+" +
                       std::to_string(sharedOffset) + "], [$1+" + std::to_string(globalOffset) + "], " +
                       std::to_string(bytes);
    std::string constraints = "r,l";
    auto add = [&](Value predicate) {
      operands.push_back(predicate);
      constraints += ",b";
      return operandName(int(operands.size()) - 1);
    };
    // The size is made where it is used: a predicate is kept all along for less than a register.
    std::string size = guard ? "selp.b32 n, " + std::to_string(bytes) + ", 0, " + add(guard) + "; " : "";
    text = (when ? "@" + add(when) + " " : "") + text + (guard ? ", n;" : ";");
    if (guard)
      text = "{ .reg .b32 n; " + size + text + " }";
    LLVM::InlineAsmOp::create(b, a.loc, LLVM::LLVMVoidType::get(b.getContext()), operands, text,
                              constraints + ",~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
                              LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  }
  explain(op, layout, vector, guarded);
}

void GpuLowering::lowerStore(tile::StoreOp op) {
  Layout layout = layoutOfAccess(op.getValue().getType());
  Address a = addressOf(op, layout);
  if (op.getMask())
    a.mask = &regs(op.getMask());
  // A scalar is the same in all threads: the first writes it.
  a.when = layout.rank()
               ? isFirstHolder(layout)
               : arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::eq, thread, constantI32(0)).getResult();
  int64_t vector = layout.rank() ? vectorLength(a, op) : 1;
  const Registers &values = regs(op.getValue());
  bool guarded = false;
  for (int64_t r = 0; r < layout.registers(); r += vector) {
    Value value = values[r];
    if (vector > 1) {
      value = LLVM::PoisonOp::create(b, a.loc, VectorType::get({vector}, a.element));
      for (int64_t i = 0; i < vector; ++i)
        value = LLVM::InsertElementOp::create(b, a.loc, value, values[r + i], constantI32(i));
    }
    Value guard = guardOf(a, r);
    guarded |= bool(guard);
    storeBits(value, elementPointer(a, layout.rank() ? layout.at(r, 0) : Coordinate{}), guard);
  }
  explain(op, layout, vector, guarded);
}

void GpuLowering::lowerAtomicAdd(tile::AtomicAddOp op) {
  Layout layout = layoutOfAccess(op.getValue().getType());
  Address a = addressOf(op, layout);
  if (op.getMask())
    a.mask = &regs(op.getMask());
  a.when = layout.rank()
               ? isFirstHolder(layout)
               : arith::CmpIOp::create(b, a.loc, arith::CmpIPredicate::eq, thread, constantI32(0)).getResult();
  auto kind = isa<FloatType>(a.element) ? LLVM::AtomicBinOp::fadd : LLVM::AtomicBinOp::add;
  for (int64_t r = 0; r < layout.registers(); ++r) {
    Value pointer = elementPointer(a, layout.rank() ? layout.at(r, 0) : Coordinate{}), guard = guardOf(a, r);
    OpBuilder::InsertionGuard restore(b);
    if (guard) {
      auto branch = scf::IfOp::create(b, a.loc, guard, /*withElseRegion=*/false);
      b.setInsertionPoint(branch.thenBlock()->getTerminator());
    }
    LLVM::AtomicRMWOp::create(b, a.loc, kind, pointer, regs(op.getValue())[r], LLVM::AtomicOrdering::monotonic);
  }
}

} // namespace tessera::gpu
