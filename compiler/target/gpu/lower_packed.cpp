// Packed tensors in global memory. Where a bit of row or column walks in a panel is a layout (layout/panels.h), so the
// thread's share of an address is a sum over its bits; four codes that share four bytes move as one word.
#include "compiler/layout/algebra.h"
#include "compiler/lower/memory_order.h"
#include "compiler/passes/inside.h"
#include "compiler/target/gpu/address.h"
#include "compiler/target/gpu/carry_pointers.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/shape.h"

using namespace mlir;

namespace tessera::gpu {

// Addresses of one component of a packed tensor, plane by plane.
class GpuLowering::PackedAddress {
public:
  PackedAddress(GpuLowering &lowering, Address &a, tile::LoadOp op, int plane)
      : lowering(lowering), b(lowering.b), a(a), loc(a.loc), panel(*tile::panelOf(op.getView().getType())),
        format(panel.format), part(tile::partOf(panel, *op.getComponent(), plane)), rows(a.axes[0]),
        columns(a.axes[1]) {
    wholePanels = rows.kind != tile::Subscript::each && knownDivisor(rows.index) % panelRows == 0;
    auto share = [&](auto of) { return lowering.walk(stepsOf(a.layout, of)); };
    bytes = share([&](const Coordinate &at) { return byteOf(at) - part.offset; });
    shift = share([&](const Coordinate &at) { return shiftOf(at); });
    group = share([&](const Coordinate &at) { return columnOf(at) / format.group * format.group; });
    row = share([&](const Coordinate &at) { return rowOf(at); });
  }

  struct Place {
    Value pointer, shift; // shift: i32, how far the codes must come down
  };
  Place of(const Coordinate &at) {
    Base &base = bases[{wholePanels ? rowOf(at) / panelRows : rowOf(at), columnOf(at) / format.group}];
    if (!base.pointer)
      base = baseOf(at);
    Value down = arith::AddIOp::create(b, loc, shift, lowering.constantI32(shiftOf(at)));
    return {LLVM::GEPOp::create(b, loc, base.pointer.getType(), b.getI8Type(), base.pointer,
                                ArrayRef<LLVM::GEPArg>{int32_t(byteOf(at))}),
            down};
  }

private:
  struct Base {
    Value pointer; // all but the register's own bytes inside its group
  };

  int64_t rowOf(const Coordinate &at) const { return rows.tileAxis >= 0 ? at[rows.tileAxis] : 0; }
  int64_t columnOf(const Coordinate &at) const { return columns.tileAxis >= 0 ? at[columns.tileAxis] * a.lastUnit : 0; }
  // Inside one panel, where its row is known, and one group.
  int64_t byteOf(const Coordinate &at) const {
    return part.byteOf(wholePanels ? rowOf(at) % panelRows : 0, columnOf(at) % format.group);
  }
  int64_t shiftOf(const Coordinate &at) const { return part.shiftOf(0, columnOf(at) % format.group); }

  Base baseOf(const Coordinate &at) {
    auto add = [&](Value x, Value y) -> Value { return arith::AddIOp::create(b, loc, x, y); };
    auto mul = [&](Value x, int64_t y) -> Value { return arith::MulIOp::create(b, loc, x, lowering.constantI64(y)); };
    auto div = [&](Value x, int64_t y) -> Value { return arith::DivUIOp::create(b, loc, x, lowering.constantI64(y)); };
    auto rem = [&](Value x, int64_t y) -> Value { return arith::RemUIOp::create(b, loc, x, lowering.constantI64(y)); };
    Value number = rows.kind == tile::Subscript::each ? lowering.positionOf(a, 0, at)
                   : a.origins[0] ? add(a.origins[0], add(lowering.widen(row), lowering.constantI64(rowOf(at))))
                                  : lowering.widen(row);
    Value position = add(lowering.widen(group), lowering.constantI64(columnOf(at) / format.group * format.group));
    if (a.origins[1])
      position = add(a.origins[1], position);
    int64_t blockBytes = panelBlockBytes(format);
    Value panelPitch = mul(div(a.sizes[1], format.block), blockBytes);
    // Whole blocks as so many bytes a column: then the offset is linear in the position, and a loop can carry it.
    bool wholeBlocks = !format.twoLevels() && blockBytes % format.block == 0 && columns.index &&
                       knownDivisor(columns.index) % format.block == 0;
    Value along = wholeBlocks ? mul(position, blockBytes / format.block) : mul(div(position, format.block), blockBytes);
    Value offset = add(arith::MulIOp::create(b, loc, div(number, panelRows), panelPitch), along);
    offset = add(offset, lowering.widen(bytes));
    if (int64_t stride = part.stride(1, format.group))
      offset = add(offset, mul(div(rem(position, format.block), format.group), stride));
    if (!wholePanels)
      offset = add(offset, mul(rem(number, panelRows), part.stride(0, 1)));
    Value pointer =
        LLVM::GEPOp::create(b, loc, a.base.getType(), b.getI8Type(), a.base, ArrayRef<LLVM::GEPArg>{offset});
    if (a.inPipeline)
      markCarried(pointer);
    return {pointer};
  }

  GpuLowering &lowering;
  OpBuilder &b;
  Address &a;
  Location loc;
  const Panel &panel;
  const PackedFormat &format;
  const PanelPart &part;
  tile::AxisAccess rows, columns;
  bool wholePanels = false;
  Value bytes, shift, group, row; // i32: the thread's shares
  std::map<std::pair<int64_t, int64_t>, Base> bases;
};

// Rows that lie side by side, in a panel and in the thread's registers: one access. Rows behind the last one are there
// up to the panel's end, as zeros, so a bound never cuts an access.
int64_t GpuLowering::rowsTogether(tile::LoadOp op, const Layout &layout) {
  const Panel &panel = *tile::panelOf(op.getView().getType());
  bool quads = op.getComponent() == tile::Component::codes && !panel.format.isValues();
  if (!kernel->hasAttr(tile::alignedAttr) || op.getMask() || quads || !layout.rank())
    return 1;
  int64_t most = 128 / tile::elementBits(panel, *op.getComponent());
  return std::min(together(layout, memoryOrder(op), &Layout::reg), most);
}

// `rows` registers of each access, narrow ones by words.
void GpuLowering::lowerPanelRows(tile::LoadOp op, Address &a, int64_t rows) {
  Location loc = op.getLoc();
  Type element = getElementTypeOrSelf(op.getType());
  int64_t perWord = 32 / element.getIntOrFloatBitWidth(), words = rows / perWord;
  auto vectorOf = [&](ValueRange parts) {
    if (parts.size() == 1)
      return parts.front();
    Value all = LLVM::PoisonOp::create(b, loc, VectorType::get({int64_t(parts.size())}, parts.front().getType()));
    for (auto [i, part] : llvm::enumerate(parts))
      all = LLVM::InsertElementOp::create(b, loc, all, part, constantI32(int64_t(i)));
    return all;
  };
  auto partsOf = [&](Value all, int64_t count) {
    SmallVector<Value> parts;
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(count == 1 ? all : LLVM::ExtractElementOp::create(b, loc, all, constantI32(i)).getResult());
    return parts;
  };
  Type unit = words ? b.getI32Type() : element;
  int64_t units = words ? words : rows;
  Type type = units > 1 ? Type(VectorType::get({units}, unit)) : unit;
  PackedAddress address(*this, a, op, 0);
  Registers out;
  for (int64_t r = 0; r < a.layout.registers(); r += rows) {
    Value otherwise;
    if (op.getOtherwise()) {
      SmallVector<Value> parts(ArrayRef<Value>(regs(op.getOtherwise())).slice(r, rows));
      if (words) {
        parts = packWords(b, loc, parts);
        for (Value &part : parts)
          if (part.getType() != unit)
            part = LLVM::BitcastOp::create(b, loc, unit, part);
      }
      otherwise = vectorOf(parts);
    }
    Value loaded = loadBits(type, address.of(a.layout.at(r, 0)).pointer, guardOf(a, r), a, otherwise);
    SmallVector<Value> parts = partsOf(loaded, units);
    llvm::append_range(out, words ? unpackWords(b, loc, parts, element) : parts);
  }
  op.emitRemark() << "load: " << out.size() << " " << stringifyComponent(*op.getComponent()) << " a thread, "
                  << rows * tile::elementBits(*tile::panelOf(op.getView().getType()), *op.getComponent()) / 8
                  << " bytes an access";
  registers[op] = out;
}

void GpuLowering::lowerPackedLoad(tile::LoadOp op) {
  Layout layout = layoutOfAccess(op.getType());
  Location loc = op.getLoc();
  const Panel &panel = *tile::panelOf(op.getView().getType());
  Address a = addressOf(op, layout);
  if (op.getWhen())
    a.when = scalar(op.getWhen()), a.inPipeline = true;
  if (op.getMask())
    a.mask = &regs(op.getMask());
  a.lastUnit = tile::columnsAnElement(panel, *op.getComponent(), op.getSizes().back());
  bool codes = *op.getComponent() == tile::Component::codes && !panel.format.isValues();
  Type element = getElementTypeOrSelf(op.getType());
  bool words = codes && together(layout, memoryOrder(op), &Layout::reg) >= 4 && !a.mask;
  if (int64_t rows = rowsTogether(op, layout); rows > 1 || op.getOtherwise())
    return lowerPanelRows(op, a, rows);
  int64_t step = words ? 4 : 1;
  Type type = words ? b.getI32Type() : codes ? b.getI8Type() : element;

  Registers out(layout.registers());
  for (int number = 0; number < (codes ? codePlanes(panel.format).count : 1); ++number) {
    const PanelPart &plane = tile::partOf(panel, *op.getComponent(), number);
    PackedAddress address(*this, a, op, number);
    for (int64_t r = 0; r < layout.registers(); r += step) {
      auto place = address.of(layout.rank() ? layout.at(r, 0) : Coordinate{});
      Value value = loadBits(type, place.pointer, guardOf(a, r), a);
      if (codes && plane.bits < 8) {
        auto constant = [&](int64_t x) -> Value { return arith::ConstantIntOp::create(b, loc, type, x); };
        int64_t lowest = words ? 0x01010101 : 1;
        Value down = words ? place.shift : arith::TruncIOp::create(b, loc, type, place.shift).getResult();
        value = arith::ShRUIOp::create(b, loc, value, down);
        value = arith::AndIOp::create(b, loc, value, constant(lowest * ((1 << plane.bits) - 1)));
        if (plane.shift)
          value = arith::ShLIOp::create(b, loc, value, constant(plane.shift));
      }
      out[r] = out[r] ? arith::OrIOp::create(b, loc, out[r], value).getResult() : value;
    }
  }
  if (words) {
    Registers elements;
    for (int64_t r = 0; r < layout.registers(); r += step)
      llvm::append_range(elements, unpackWords(b, loc, out[r], element));
    out = elements;
  }
  op.emitRemark() << "load: " << layout.registers() << " " << stringifyComponent(*op.getComponent()) << " a thread, "
                  << (words ? "four a word" : "one by one");
  registers[op] = out;
}

} // namespace tessera::gpu
