#include "dsl/math.h"
#include "dsl/recorder.h"

namespace tessera::dsl {

static constexpr int64_t mostElements = int64_t(1) << 31; // beyond any chip; keeps products of extents exact

// Whether a shape that the user wrote can be one.
static bool goodShape(const Shape &shape, Where where) {
  Recorder &r = Recorder::current();
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent <= 0)
      r.mistake(where, "a tile cannot have an extent of " + std::to_string(extent));
    else if (extent > mostElements / count)
      r.mistake(where, "this tile has more than 2^31 elements");
    if (r.failed())
      return false;
    count *= extent;
  }
  return !r.failed();
}

Tile full(Shape shape, double value, DType dtype, Where where) {
  TileType type{dtype, std::move(shape)};
  Recorder &r = Recorder::current();
  if (dtype == index && !type.shape.empty())
    r.mistake(where, "a tile cannot have the dtype index: positions in tiles are i32");
  if (!goodShape(type.shape, where))
    return Recorder::poison(type);
  return r.number(value, type, where);
}
Tile zeros(Shape shape, DType dtype, Where where) { return full(std::move(shape), 0, dtype, where); }

Tile iota(int64_t n, Where where) {
  Recorder &r = Recorder::current();
  TileType type{i32, {n}};
  if (!goodShape(type.shape, where))
    return Recorder::poison(type);
  Tile zero = r.number(int64_t(0), {index, {}}, where);
  return r.wrap(r.builder.iota(Recorder::handle(zero), n, where), type);
}

// The dtype in which a product of these is summed.
static std::optional<DType> accumulator(DType a, DType b) {
  auto byte = [](DType d) { return d == u8 || d == i8; };
  if (a == b && info(a).isFloat)
    return f32;
  return byte(a) && byte(b) ? std::optional(i32) : std::nullopt;
}

static bool goodProduct(const Tile &a, const Tile &b, Where where) {
  Recorder &r = Recorder::current();
  auto types = [&] { return text(typeOf(a)) + " by " + text(typeOf(b)); };
  if (!r.usable(a, where) || !r.usable(b, where))
    return false;
  if (a.shape().size() != 2 || b.shape().size() != 2)
    r.mistake(where, "dot multiplies two matrices, not " + types());
  else if (a.shape()[1] != b.shape()[0])
    r.mistake(where, "dot cannot multiply " + types() + ": the inner extents " + std::to_string(a.shape()[1]) +
                         " and " + std::to_string(b.shape()[0]) + " differ");
  else if (!accumulator(a.dtype(), b.dtype()))
    r.mistake(where, "dot cannot multiply " + types() + ": it takes two of f32, f16, bf16, e4m3 or e5m2, or u8 and i8");
  return !r.failed();
}

static Shape productShape(const Tile &a, const Tile &b) {
  return {a.shape().empty() ? 1 : a.shape().front(), b.shape().empty() ? 1 : b.shape().back()};
}

Tile dot(Tile a, Tile b, Tile acc, Where where) { return dot(a, b, acc, Precision::full, where); }

Tile dot(Tile a, Tile b, Tile acc, Precision precision, Where where) {
  Recorder &r = Recorder::current();
  TileType out{accumulator(a.dtype(), b.dtype()).value_or(f32), productShape(a, b)};
  if (goodProduct(a, b, where) && r.usable(acc, where) && typeOf(acc) != out)
    r.mistake(where, "dot of " + text(typeOf(a)) + " and " + text(typeOf(b)) + " adds to " + text(out) + ", not to " +
                         text(typeOf(acc)));
  if (r.failed())
    return Recorder::poison(out);
  Builder::Dot dot{Recorder::handle(a), Recorder::handle(b), Recorder::handle(acc),
                   a.dtype() == u8,     b.dtype() == u8,     precision == Precision::tf32 && a.dtype() == f32};
  return r.wrap(r.builder.dot(dot, where), out);
}

Tile dot(Tile a, Tile b, Where where) {
  TileType out{accumulator(a.dtype(), b.dtype()).value_or(f32), productShape(a, b)};
  if (!goodProduct(a, b, where))
    return Recorder::poison(out);
  return dot(a, b, zeros(out.shape, out.dtype, where), where);
}

Tile trans(Tile a, Where where) {
  Recorder &r = Recorder::current();
  TileType out{a.dtype(), Shape(a.shape().rbegin(), a.shape().rend())};
  if (r.usable(a, where) && a.shape().size() != 2)
    r.mistake(where, "trans swaps the axes of a matrix, not of " + text(typeOf(a)));
  if (r.failed())
    return Recorder::poison(out);
  return r.wrap(r.builder.shape(Builder::Shaping::trans, Recorder::handle(a), out, where), out);
}

Tile reshape(Tile a, Shape shape, Where where) {
  Recorder &r = Recorder::current();
  TileType out{a.dtype(), std::move(shape)};
  if (r.usable(a, where) && goodShape(out.shape, where)) {
    if (a.isScalar() || out.shape.empty())
      r.mistake(where, "reshape takes a tile and gives a tile: a scalar stretches by itself");
    else if (elementCount(a.shape()) != elementCount(out.shape))
      r.mistake(where, "reshape cannot make " + text(out) + " of " + text(typeOf(a)) + ": " +
                           std::to_string(elementCount(out.shape)) + " elements of " +
                           std::to_string(elementCount(a.shape())));
  }
  if (r.failed())
    return Recorder::poison(out);
  if (out.shape == a.shape())
    return a;
  return r.wrap(r.builder.shape(Builder::Shaping::reshape, Recorder::handle(a), out, where), out);
}

static Tile reduce(const char *verb, Reduction kind, const Tile &a, int axis, Where where) {
  Recorder &r = Recorder::current();
  TileType out = typeOf(a);
  bool inside = axis >= 0 && axis < int(a.shape().size());
  if (inside && kind != Reduction::scan)
    out.shape[axis] = 1;
  if (kind == Reduction::argMax)
    out.dtype = i32;
  if (r.usable(a, where)) {
    DType d = a.dtype();
    if (!inside)
      r.mistake(where, std::string(verb) + " along axis " + std::to_string(axis) + " of " + text(typeOf(a)) +
                           ", which has " + counted(int64_t(a.shape().size()), "axis", "axes"));
    else if ((!info(d).isFloat || isFloat8(d)) && d != i32 && d != i64)
      r.mistake(where,
                std::string(verb) + " takes floats, i32 or i64, not " + text(typeOf(a)) + "; convert with .to()");
  }
  if (r.failed())
    return Recorder::poison(out);
  return r.wrap(r.builder.reduce(kind, Recorder::handle(a), axis, out, where), out);
}

Tile reduceMax(Tile a, int axis, Where w) { return reduce("reduceMax", Reduction::max, a, axis, w); }
Tile reduceSum(Tile a, int axis, Where w) { return reduce("reduceSum", Reduction::sum, a, axis, w); }
Tile argMax(Tile a, int axis, Where w) { return reduce("argMax", Reduction::argMax, a, axis, w); }
Tile scanSum(Tile a, int axis, Where w) { return reduce("scanSum", Reduction::scan, a, axis, w); }

} // namespace tessera::dsl
