// Verbs on tiles: creation, products, shapes, choices, elementary functions, reductions.
#pragma once
#include "dsl/tile.h"

namespace tessera::dsl {

Tile zeros(Shape shape, DType dtype = f32, Where where = Where::current());
Tile full(Shape shape, double value, DType dtype = f32, Where where = Where::current());
// [n] of i32: 0, 1, ..., n-1.
Tile iota(int64_t n, Where where = Where::current());

// What a product of f32 may lose for speed. tf32: a target with tensor cores for it rounds a and b to 10 bits of
// mantissa.
enum class Precision : uint8_t { full, tf32 };

// acc + a . b: [M,K] x [K,N] + [M,N], k added in ascending order. Both f32, f16, bf16, e4m3 or e5m2 -> f32; u8 or i8
// each
// -> i32. Only targets with matrix operations for 8-bit floats multiply them; compile() refuses the others.
Tile dot(Tile a, Tile b, Tile acc, Where where = Where::current());
Tile dot(Tile a, Tile b, Tile acc, Precision precision, Where where = Where::current());
Tile dot(Tile a, Tile b, Where where = Where::current());
Tile trans(Tile a, Where where = Where::current()); // [M,N] -> [N,M]
// The same elements in row-major order.
Tile reshape(Tile a, Shape shape, Where where = Where::current());

// mask ? a : b, element by element; all three stretch to one shape.
Tile where(Tile mask, Operand a, Operand b, Where at = Where::current());
// a > b ? a : b and a < b ? a : b: if either is NaN, b.
Tile max(Operand a, Operand b, Where where = Where::current());
Tile min(Operand a, Operand b, Where where = Where::current());

// a * b + c in f32, rounded once, on every target.
Tile fma(Operand a, Operand b, Operand c, Where where = Where::current());

// Floats only, except abs. Accuracy is stated per target in docs/design.
Tile exp2(Tile a, Where where = Where::current());
Tile log2(Tile a, Where where = Where::current());
Tile rsqrt(Tile a, Where where = Where::current());
Tile sqrt(Tile a, Where where = Where::current());
Tile tanh(Tile a, Where where = Where::current());
Tile sin(Tile a, Where where = Where::current());
Tile cos(Tile a, Where where = Where::current());
Tile floor(Tile a, Where where = Where::current());
Tile abs(Tile a, Where where = Where::current());

// Along `axis`, which stays with extent 1. i32, i64 or floats (narrow integers first `.to(i32)`).
Tile reduceMax(Tile a, int axis, Where where = Where::current());
Tile reduceSum(Tile a, int axis, Where where = Where::current());
Tile argMax(Tile a, int axis, Where where = Where::current());  // i32 positions, the lowest of equals
Tile scanSum(Tile a, int axis, Where where = Where::current()); // inclusive running sum, same shape

} // namespace tessera::dsl
