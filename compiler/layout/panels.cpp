#include "compiler/layout/panels.h"
#include "compiler/layout/algebra.h"
#include <algorithm>
#include <bit>
#include <cassert>

namespace tessera {

constexpr int64_t quadColumns = 4; // as many bytes of a row as an integer dot adds up in one lane

// A word of a plane: the columns of a quad are its bytes, and quads share them.
static Layout wordOf(int planeBits) {
  Layout word;
  for (int64_t step = quadColumns; step < quadColumns * 8 / planeBits; step *= 2)
    word.reg.push_back({0, step});
  for (int64_t step = 1; step < quadColumns; step *= 2)
    word.reg.push_back({0, step});
  word.rep = {1, 1};
  return word;
}

// The arrays of a block, each as a product of what lies side by side; `columns` of the block that elements stand for.
static Layout orderOf(PanelArray array, const PackedFormat &format, int bits, int64_t columns) {
  Layout rows = along(&Layout::reg, 0, panelRows);
  bool plane = (array == PanelArray::codes || array == PanelArray::highCodes) && !format.isValues();
  Layout inner = plane ? product(wordOf(bits), rows) : rows;
  return product(inner, along(&Layout::reg, 1, format.block / columns / inner.block()[1]));
}

static int64_t columnsOf(PanelArray array, const PackedFormat &format) {
  switch (array) {
  case PanelArray::codes:
  case PanelArray::highCodes:
    return 1;
  case PanelArray::scales:
  case PanelArray::mins:
    return format.group;
  default:
    return format.block;
  }
}

PanelPart::PanelPart(PanelArray array, const PackedFormat &format)
    : array(array), bits(16), shift(0), offset(0), columns(columnsOf(array, format)), position(0, {}) {
  PanelOffsets at = panelOffsets(format);
  switch (array) {
  case PanelArray::codes:
  case PanelArray::highCodes: {
    CodePlane plane = codePlanes(format).plane[array == PanelArray::highCodes];
    bits = plane.bits, shift = plane.shift, offset = plane.offset;
    break;
  }
  case PanelArray::scales:
    bits = info(format.scale).bits, offset = at.scales;
    break;
  case PanelArray::mins:
    bits = info(format.scale).bits, offset = at.mins;
    break;
  case PanelArray::superScales:
    offset = at.superScales;
    break;
  case PanelArray::superMins:
    offset = at.superMins;
    break;
  }
  order = orderOf(array, format, bits, columns);
  position = *blockMap(order).inverse();
}

int64_t PanelPart::bitAt(int64_t row, int64_t column) const {
  int64_t perRow = int64_t(1) << (position.inBits() - std::countr_zero(uint64_t(panelRows)));
  return int64_t(position(uint64_t(row * perRow + column / columns))) * bits;
}

int64_t PanelPart::stride(int axis, int64_t step) const {
  int64_t extent = order.block()[size_t(axis)] * (axis ? columns : 1);
  auto bitsTo = [&](int64_t at) { return axis ? bitAt(0, at) : bitAt(at, 0); };
  if (step >= extent)
    return 0;
  int64_t apart = bitsTo(step);
  [[maybe_unused]] bool even = apart % 8 == 0;
  for (int64_t at = step; at < extent; at *= 2)
    even &= bitsTo(at) == at / step * apart;
  assert(even);
  return apart / 8;
}

// The first bases, as an order of their own.
static Layout firstOf(const Layout &order, size_t count) {
  Layout out;
  out.reg.assign(order.reg.begin(), order.reg.begin() + int64_t(count));
  out.rep = {1, 1};
  return out;
}

Layout PanelPart::word() const { return firstOf(order, size_t(std::countr_zero(uint64_t(32 / bits)))); }

Layout PanelPart::bytes() const {
  Layout out = order;
  if (bits < 8)
    out.reg.erase(out.reg.begin(), out.reg.begin() + std::countr_zero(uint64_t(8 / bits)));
  return out;
}

const PanelPart *Panel::find(PanelArray array) const {
  auto found = std::ranges::find(parts, array, &PanelPart::array);
  return found == parts.end() ? nullptr : &*found;
}

const PanelPart &Panel::at(PanelArray array) const {
  const PanelPart *part = find(array);
  assert(part);
  return *part;
}

static Panel makePanel(const PackedFormat &format) {
  Panel panel{format, {}};
  auto add = [&](PanelArray array, bool present) {
    if (present)
      panel.parts.emplace_back(array, format);
  };
  add(PanelArray::codes, true);
  add(PanelArray::highCodes, codePlanes(format).count > 1);
  add(PanelArray::scales, !format.isValues());
  add(PanelArray::mins, format.hasMin);
  add(PanelArray::superScales, format.twoLevels());
  add(PanelArray::superMins, format.twoLevels() && format.hasMin);
  return panel;
}

const Panel &panelOf(DType dtype) {
  static const std::vector<std::optional<Panel>> all = [] {
    std::vector<std::optional<Panel>> panels(dtypes().size());
    for (const DTypeInfo &row : dtypes())
      if (row.packed)
        panels[size_t(row.dtype)].emplace(makePanel(*row.packed));
    return panels;
  }();
  assert(all[size_t(dtype)]);
  return *all[size_t(dtype)];
}

} // namespace tessera
