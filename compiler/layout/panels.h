// Panels: where the numbers of a packed matrix lie in memory, one layout for each array of them.
//
// A packed matrix [rows, columns] is cut into blocks of panelRows rows by PackedFormat::block columns. Blocks follow
// each other along a panel's columns, panels of rows follow each other; rows past the end are zero. A block holds
// arrays one after another (base/dtype.h says which, and their offsets). An array is a layout of one thread: register i
// is its i-th element in memory, so the bases are the order of memory, lowest bit first, and addresses are the layout's
// inverse:
//   a plane of codes  the quads of columns that share bytes, the 4 columns of a quad as bytes, rows, the other columns
//   values            rows, (columns: one a block)
//   scales and mins   rows, groups of columns
//   their supers      rows
// So one row is one 32-bit lane of an integer dot, a panel's rows are side by side, and four codes come down from their
// bytes by one shift. Loads on every target, and the packer, take addresses, runs and lane orders from here.
#pragma once
#include "base/dtype.h"
#include "compiler/layout/layout.h"
#include "compiler/layout/linear_map.h"

namespace tessera {

enum class PanelArray : uint8_t { codes, highCodes, scales, mins, superScales, superMins };

struct PanelPart {
  PanelArray array;
  int bits;           // of one element
  int shift;          // of a plane's lowest bit in the code; else 0
  int64_t offset;     // bytes, in a block
  int64_t columns;    // of the matrix that one element stands for
  Layout order;       // coordinates: row in the panel, column in the block / `columns`
  LinearMap position; // the inverse: the coordinate's number in the order's block -> the element's in memory

  PanelPart(PanelArray array, const PackedFormat &format);

  // The element of the matrix' row and column in a block: the byte that it begins in, from the block's begin, and the
  // bit in that byte.
  int64_t byteOf(int64_t row, int64_t column) const { return offset + bitAt(row, column) / 8; }
  int shiftOf(int64_t row, int64_t column) const { return int(bitAt(row, column) % 8); }
  // Bytes from an element to the one `step` (a power of two) rows or columns on, wherever the former's coordinate is a
  // multiple of `step`; 0 where a block ends before. Requires that the axis is walked evenly from there on.
  int64_t stride(int axis, int64_t step) const;

  // The part of the order that fills a word of 32 bits: a word's elements. Requires whole elements in a word.
  Layout word() const;
  // The order of whole bytes: the first element of each byte, or every element where it has bytes of its own.
  Layout bytes() const;

private:
  int64_t bitAt(int64_t row, int64_t column) const;
};

struct Panel {
  const PackedFormat &format;
  std::vector<PanelPart> parts;

  // Null where the format has no such array.
  const PanelPart *find(PanelArray array) const;
  const PanelPart &at(PanelArray array) const;
};

// Made once for each packed dtype. Thread-safe.
const Panel &panelOf(DType dtype);

} // namespace tessera
