// Packed tensors in global memory. Where a bit of row or column walks in a panel is data (tile/access.h), so the
// thread's share of an address is a sum over its bits; four codes that share four bytes move as one word.
#include "compiler/passes/inside.h"
#include "compiler/target/gpu/address.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/shape.h"

using namespace mlir;

namespace tessera::gpu {

// Addresses of one component of a packed tensor, plane by plane.
class GpuLowering::PackedAddress {
public:
  PackedAddress(GpuLowering &lowering, Address &a, tile::LoadOp op, int plane)
      : lowering(lowering), b(lowering.b), a(a), loc(a.loc), format(*tile::packedFormat(op.getView().getType())),
        component(*op.getComponent()), plane(plane), rows(a.axes[0]), columns(a.axes[1]) {
    wholePanels = rows.kind != tile::Subscript::each && knownDivisor(rows.index) % panelRows == 0;
    auto share = [&](auto of) { return lowering.walk(stepsOf(a.layout, of)); };
    auto inGroup = [&](const Coordinate &at) { return place(wholePanels ? rowOf(at) : 0, columnOf(at)); };
    bytes = share([&](const Coordinate &at) { return inGroup(at).byte - place(0, 0).byte; });
    shift = share([&](const Coordinate &at) { return int64_t(inGroup(at).shift); });
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
    tile::PanelPlace here = place(wholePanels ? rowOf(at) : 0, columnOf(at));
    Value down = arith::AddIOp::create(b, loc, shift, lowering.constantI32(here.shift));
    return {LLVM::GEPOp::create(b, loc, base.pointer.getType(), b.getI8Type(), base.pointer,
                                ArrayRef<LLVM::GEPArg>{int32_t(here.byte)}),
            down};
  }

private:
  struct Base {
    Value pointer; // all but the register's own bytes inside its group
  };

  int64_t rowOf(const Coordinate &at) const { return rows.tileAxis >= 0 ? at[rows.tileAxis] : 0; }
  int64_t columnOf(const Coordinate &at) const { return columns.tileAxis >= 0 ? at[columns.tileAxis] * a.lastUnit : 0; }
  // Inside one panel and one group.
  tile::PanelPlace place(int64_t r, int64_t column) const {
    return tile::panelPlace(format, component, plane, r % panelRows, column % format.group);
  }

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
    Value panelPitch = div(a.sizes[1], format.block);
    Value block = add(arith::MulIOp::create(b, loc, div(number, panelRows), panelPitch), div(position, format.block));
    Value offset = add(mul(block, panelBlockBytes(format)), lowering.widen(bytes));
    if (int64_t stride = place(0, 0).groupStride)
      offset = add(offset, mul(div(rem(position, format.block), format.group), stride));
    if (!wholePanels) // row bits come after each other in every component
      offset = add(offset, mul(rem(number, panelRows), place(1, 0).byte - place(0, 0).byte));
    return {LLVM::GEPOp::create(b, loc, a.base.getType(), b.getI8Type(), a.base, ArrayRef<LLVM::GEPArg>{offset})};
  }

  GpuLowering &lowering;
  OpBuilder &b;
  Address &a;
  Location loc;
  const PackedFormat &format;
  tile::Component component;
  int plane;
  tile::AxisAccess rows, columns;
  bool wholePanels = false;
  Value bytes, shift, group, row; // i32: the thread's shares
  std::map<std::pair<int64_t, int64_t>, Base> bases;
};

void GpuLowering::lowerPackedLoad(tile::LoadOp op) {
  Layout layout = layoutOfAccess(op.getType());
  Location loc = op.getLoc();
  const PackedFormat &format = *tile::packedFormat(op.getView().getType());
  Address a = addressOf(op, layout);
  if (op.getWhen())
    a.when = scalar(op.getWhen());
  if (op.getMask())
    a.mask = &regs(op.getMask());
  a.lastUnit = tile::columnsAnElement(format, *op.getComponent(), op.getSizes().back());
  bool codes = *op.getComponent() == tile::Component::codes && !format.isValues();
  Type element = getElementTypeOrSelf(op.getType());
  bool words = codes && contiguous(layout) >= 4 && !a.mask;
  int64_t step = words ? 4 : 1;
  Type type = words ? b.getI32Type() : codes ? b.getI8Type() : element;
  CodePlanes planes = codes ? codePlanes(format) : CodePlanes{{{8, 0, 0}}, 1};

  Registers out(layout.registers());
  for (auto [number, plane] : llvm::enumerate(planes)) {
    PackedAddress address(*this, a, op, int(number));
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
