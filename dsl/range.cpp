#include "dsl/range.h"
#include "dsl/math.h"
#include "dsl/recorder.h"
#include <numeric>

namespace tessera::dsl {

Tile Range::pos(Where where) const {
  Recorder &r = Recorder::current();
  TileType type{i32, {size}};
  if (!r.usable(std::span(&origin, 1), where, "range"))
    return Recorder::poison(type);
  return r.wrap(r.builder.iota(Recorder::handle(origin), size, where), type);
}
Tile Range::row(Where where) const { return reshape(pos(where), {1, size}, where); }
Tile Range::col(Where where) const { return reshape(pos(where), {size, 1}, where); }

Range operator/(Range range, Operand by) {
  Recorder &r = Recorder::current();
  auto *number = std::get_if<int64_t>(&by.what);
  int64_t n = number ? *number : 0;
  if (n <= 0)
    r.mistake(by.where, "a range is divided by a positive number");
  else if (range.size % n)
    r.mistake(by.where, "a range of " + std::to_string(range.size) + " positions does not fall into groups of " +
                            std::to_string(n));
  else if (auto *bound = std::get_if<int64_t>(&range.limit.what); bound && *bound % n)
    r.mistake(by.where,
              "a range that ends at " + std::to_string(*bound) + " does not fall into groups of " + std::to_string(n));
  Tile both[] = {range.origin, range.bound};
  if (!r.usable(both, by.where, "range"))
    return range;
  auto limit = range.limit;
  if (auto *dim = std::get_if<Dim>(&limit.what))
    limit = dim->scaled(1, n);
  else if (auto *bound = std::get_if<int64_t>(&limit.what))
    limit = *bound / n;
  Tile origin = Operand(range.origin, by.where) / Operand(n, by.where);
  Tile bound = std::holds_alternative<Tile>(limit.what) ? Operand(range.bound, by.where) / Operand(n, by.where)
                                                        : r.indexOf(limit, by.where);
  Range out(origin, bound, range.size / n, limit);
  out.aligned = range.aligned % n ? 1 : range.aligned / n;
  return out;
}

Range operator+(Range range, Operand by) {
  Recorder &r = Recorder::current();
  Looked looked = r.look(by);
  if (!looked.tile && std::holds_alternative<double>(looked.number))
    r.mistake(by.where, "a range moves by a whole number of positions");
  Tile both[] = {range.origin, range.bound};
  if (!r.usable(both, by.where, "range"))
    return range;
  Tile step = looked.tile ? r.toIndex(*looked.tile, by.where) : r.number(looked.number, {index, {}}, by.where);
  Tile origin = Operand(range.origin, by.where) + Operand(step, by.where);
  Tile bound = Operand(range.bound, by.where) + Operand(step, by.where);
  auto *number = std::get_if<int64_t>(&by.what);
  Range out(origin, bound, range.size, Recorder::moved(range.limit, by, bound));
  out.aligned = number ? std::gcd(range.aligned, *number) : 1;
  return out;
}

} // namespace tessera::dsl
