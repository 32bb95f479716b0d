// Range: one block of a size, the unit in which grids and loops walk; it masks itself in load and store.
#pragma once
#include "dsl/tile.h"

namespace tessera::dsl {

// How far something goes: a dim, a constant, or (loops only) an index or i32 scalar computed in the kernel.
struct Size {
  std::variant<Dim, int64_t, Tile> what;
  Size(Dim d) : what(d) {}
  Size(Tile t) : what(std::move(t)) {}
  template <std::integral I> Size(I n) : what(int64_t(n)) {}
};

// The positions [origin, origin + size) below bound. Lives as long as the loop body or kernel that it came from.
class Range {
public:
  Range() = default;
  Range(Tile origin, Tile bound, int64_t size, Size limit)
      : origin(std::move(origin)), bound(std::move(bound)), size(size), limit(std::move(limit)), aligned(size) {}

  Tile pos(Where where = Where::current()) const; // [size] of i32 positions; may pass the bound
  Tile row(Where where = Where::current()) const; // the same as [1, size]
  Tile col(Where where = Where::current()) const; // the same as [size, 1]

  Tile origin, bound; // index scalars
  int64_t size = 1;

  // What is known while tracing.
  Size limit = 0;      // what the bound is made of; a Tile where that is unknown
  int64_t aligned = 1; // divides the origin
};
// The same range counted in groups of n, a number: origin, size and bound divided (the size must be a multiple).
Range operator/(Range range, Operand n);
// The range moved on by `by` (index, i32, dim or number): origin and bound both.
Range operator+(Range range, Operand by);

// What a grid axis or loop walks over.
struct Blocks {
  Size bound;
  int64_t size;
  Where where;
};
struct Points {
  Size bound;
  Where where;
};
// Blocks of `size` of [0, n): yields a Range. `size` is a tile extent, fixed while tracing.
inline Blocks blocks(Size n, int64_t size, Where where = Where::current()) { return {std::move(n), size, where}; }
// 0, 1, ..., n-1 one by one: yields an index scalar.
inline Points each(Size n, Where where = Where::current()) { return {std::move(n), where}; }

// The whole of an axis of constant size.
struct All {};
inline constexpr All all;

// How one axis of a tensor is chosen: a Range or `all` keeps it, a scalar or number drops it, an i32 tile of rank 1
// gathers (several gathers go side by side and give one axis, at the place of the first).
struct Subscript {
  std::variant<Tile, Range, All, int64_t> what;
  Subscript(Tile t) : what(std::move(t)) {}
  Subscript(Dim d) : what(Tile(d)) {}
  Subscript(Range r) : what(std::move(r)) {}
  Subscript(All a) : what(a) {}
  template <std::integral I> Subscript(I n) : what(int64_t(n)) {}
};

} // namespace tessera::dsl
