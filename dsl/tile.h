// Tile: a block of values inside a kernel (or one scalar), with the operators that combine tiles element by element.
#pragma once
#include "base/dtype.h"
#include <concepts>
#include <cstdint>
#include <source_location>
#include <string>
#include <variant>
#include <vector>

namespace tessera::dsl {

// The user's line: every verb takes one, defaulted, so that each recorded operation and each message names it.
using Where = std::source_location;
using Shape = std::vector<int64_t>; // extents of a tile, all > 0; empty for a scalar
using Handle = const void *;        // a value of the IR under construction; null in a poison tile

// A value of the kernel being traced. Cheap to copy; means something only inside the trace that made it and, if made
// in a loop's body, only inside that body. After a mistake verbs return poison: right shape and dtype, no value.
class Tile {
public:
  Tile() = default;
  Tile(Handle value, uint64_t kernel, DType dtype, Shape shape)
      : value(value), kernel(kernel), type(dtype), extents(std::move(shape)) {}

  const Shape &shape() const { return extents; }
  DType dtype() const { return type; }
  bool isScalar() const { return extents.empty(); }

  // The same values as `dtype`: floats round to nearest even, float to integer truncates (unspecified where it does not
  // fit), integers extend by the sign of their own dtype and wrap where they do not fit. A scalar may become `index`
  // and back.
  Tile to(DType dtype, Where where = Where::current()) const;

private:
  friend class Recorder;
  Handle value = nullptr;
  uint64_t kernel = 0; // serial number of the trace; 0 for a tile that never got a value
  DType type = f32;
  Shape extents;
};

// A symbolic size of the kernel, known at launch: a dim, or a dim times and over constants (`2 * d`, `K / 32`, exact).
// Where a tile is wanted it is an index scalar.
class Dim {
public:
  Dim() = default;
  Dim(uint64_t kernel, int number) : kernel(kernel), number(number) {}
  Dim scaled(int64_t times, int64_t over) const; // lowest terms
  operator Tile() const;

private:
  friend class Recorder;
  uint64_t kernel = 0;
  int number = -1;
  int64_t times = 1, over = 1;
};
template <std::integral I> Dim operator*(Dim d, I n) { return d.scaled(int64_t(n), 1); }
template <std::integral I> Dim operator*(I n, Dim d) { return d.scaled(int64_t(n), 1); }
template <std::integral I> Dim operator/(Dim d, I n) { return d.scaled(1, int64_t(n)); }

// What an operator takes: a tile, a dim or a C++ number, with the line it was written on. A number takes the dtype of
// the other operand; an index (or dim) meeting an i32, i64 or float tile is converted to it; nothing else converts.
struct Operand {
  std::variant<Tile, Dim, double, int64_t> what;
  Where where;
  Operand(Tile t, Where w = Where::current()) : what(std::move(t)), where(w) {}
  Operand(Dim d, Where w = Where::current()) : what(d), where(w) {}
  template <std::floating_point F> Operand(F x, Where w = Where::current()) : what(double(x)), where(w) {}
  template <std::integral I> Operand(I n, Where w = Where::current()) : what(int64_t(n)), where(w) {}
};

// Element by element; extents stretch as in NumPy (aligned at the last axis; 1 and scalars stretch).
// Integers divide and shift by their signedness (u8, index unsigned; i8, i32, i64 signed; `/` truncates). They wrap;
// x / 0 is x and x % 0 is 0. A shift by no less than the width has an unspecified value.
Tile operator+(Operand a, Operand b);
Tile operator-(Operand a, Operand b);
Tile operator*(Operand a, Operand b);
Tile operator/(Operand a, Operand b);
Tile operator%(Operand a, Operand b); // integers only
Tile operator-(Operand a);

// t += x is t = t + x: it names a new value, it changes none.
inline Tile &operator+=(Tile &a, Operand b) { return a = Operand(a, b.where) + b; }
inline Tile &operator-=(Tile &a, Operand b) { return a = Operand(a, b.where) - b; }
inline Tile &operator*=(Tile &a, Operand b) { return a = Operand(a, b.where) * b; }
inline Tile &operator/=(Tile &a, Operand b) { return a = Operand(a, b.where) / b; }

// Integers and masks (i1) only; shifts integers only.
Tile operator&(Operand a, Operand b);
Tile operator|(Operand a, Operand b);
Tile operator^(Operand a, Operand b);
Tile operator<<(Operand a, Operand b);
Tile operator>>(Operand a, Operand b);
Tile operator~(Operand a);
Tile operator!(Operand a); // masks only

// Masks (i1) of the two tiles' common shape. A comparison with NaN is false, except !=.
Tile operator==(Operand a, Operand b);
Tile operator!=(Operand a, Operand b);
Tile operator<(Operand a, Operand b);
Tile operator<=(Operand a, Operand b);
Tile operator>(Operand a, Operand b);
Tile operator>=(Operand a, Operand b);

} // namespace tessera::dsl
