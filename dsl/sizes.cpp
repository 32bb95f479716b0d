#include "dsl/recorder.h"
#include <numeric>

namespace tessera::dsl {

Dim Dim::scaled(int64_t by, int64_t under) const {
  Dim out = *this;
  if (by <= 0 || under <= 0) { // reported where the dim is used
    out.times = out.over = 0;
    return out;
  }
  out.times *= by;
  out.over *= under;
  int64_t common = std::gcd(out.times, out.over);
  if (common > 1) {
    out.times /= common;
    out.over /= common;
  }
  return out;
}

Dim::operator Tile() const { return Recorder::current().dimTile(*this, Where::current()); }

Dim Recorder::declareDim(std::string_view name, Where where) {
  if (failed() || !freshName(name, where))
    return {};
  int number = int(dims.size());
  dims.push_back({std::string(name), builder.dim(std::string(name), number, where), where});
  signature.dims.emplace_back(name);
  signature.divisors.push_back(1);
  return Dim(serial, number);
}

bool Recorder::owns(const Dim &dim, Where where) {
  if (failed())
    return false;
  if (!dim.kernel)
    mistake(where, "this dim was never declared with dims()");
  else if (dim.kernel != serial)
    mistake(where, "this dim belongs to another kernel");
  else if (!dim.times)
    mistake(where, "the dim '" + dims[dim.number].name + "' is scaled by a number that is not positive");
  return !failed();
}

// The argument that stands for a multiple or a part of a dim, so that a launch can compare it with the tensors.
int Recorder::derivedDim(const Dim &dim, Where where) {
  if (dim.times == 1 && dim.over == 1)
    return dim.number;
  std::string name = sizeName(dim);
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i].name == name)
      return int(i);
  int number = int(dims.size());
  dims.push_back({name, builder.dim(name, number, where), where});
  signature.dims.push_back(name);
  signature.divisors.push_back(1);
  signature.scaled.push_back({number, dim.number, dim.times, dim.over});
  builder.setScaled(signature.scaled.back());
  return number;
}

std::string Recorder::sizeName(const Size &size) const {
  if (auto *n = std::get_if<int64_t>(&size.what))
    return std::to_string(*n);
  auto *dim = std::get_if<Dim>(&size.what);
  if (!dim)
    return "a computed size";
  std::string out = dims[dim->number].name;
  if (dim->times != 1)
    out += "*" + std::to_string(dim->times);
  if (dim->over != 1)
    out += "/" + std::to_string(dim->over);
  return out;
}

bool Recorder::mayWalk(const Size &bound, const Size &extent) {
  auto *dim = std::get_if<Dim>(&bound.what), *axis = std::get_if<Dim>(&extent.what);
  if (dim && axis) // a part of the axis is fine: the gate and the up half of a [T, 2d] tensor
    return dim->number == axis->number && dim->times * axis->over <= axis->times * dim->over;
  auto *n = std::get_if<int64_t>(&bound.what), *constant = std::get_if<int64_t>(&extent.what);
  return !(n && constant) || *n <= *constant;
}

Size Recorder::moved(const Size &limit, const Operand &by, const Tile &bound) {
  auto *n = std::get_if<int64_t>(&limit.what), *step = std::get_if<int64_t>(&by.what);
  if (n && step)
    return *n + *step;
  auto *dim = std::get_if<Dim>(&limit.what), *further = std::get_if<Dim>(&by.what);
  if (!dim || !further || dim->kernel != further->kernel || dim->number != further->number)
    return bound;
  Dim sum = *dim;
  sum.times = dim->times * further->over + further->times * dim->over;
  sum.over = dim->over * further->over;
  return sum.scaled(1, 1);
}

Tile Recorder::dimTile(const Dim &dim, Where where) {
  TileType type{index, {}};
  if (!owns(dim, where))
    return poison(type);
  Tile tile = wrap(dims[dim.number].value, type);
  if (dim.times != 1) {
    Tile both[] = {tile, number(dim.times, type, where)};
    tile = element(Element::mul, both, index, where);
  }
  if (dim.over != 1) {
    Tile both[] = {tile, number(dim.over, type, where)};
    tile = element(Element::div, both, index, where);
  }
  return tile;
}

Tile Recorder::toIndex(const Tile &scalar, Where where) {
  if (!usable(scalar, where))
    return poison({index, {}});
  if (!scalar.isScalar() || (scalar.dtype() != index && scalar.dtype() != i32))
    mistake(where, "a position or size is an index or i32 scalar, not " + text(typeOf(scalar)));
  if (failed())
    return poison({index, {}});
  return converted(scalar, index, where);
}

Tile Recorder::indexOf(const Size &size, Where where) {
  if (auto *n = std::get_if<int64_t>(&size.what)) {
    if (*n <= 0)
      mistake(where, "a size of " + std::to_string(*n) + " is not positive");
    return number(*n, {index, {}}, where);
  }
  if (auto *dim = std::get_if<Dim>(&size.what))
    return dimTile(*dim, where);
  return toIndex(std::get<Tile>(size.what), where);
}

Extent Recorder::extentOf(const Size &size, Where where, const std::string &what) {
  if (auto *n = std::get_if<int64_t>(&size.what)) {
    if (*n <= 0)
      mistake(where, what + " has the size " + std::to_string(*n) + ", which is not positive");
    return {-1, *n};
  }
  if (auto *dim = std::get_if<Dim>(&size.what)) {
    if (!owns(*dim, where))
      return {-1, 1};
    return {derivedDim(*dim, where), 0};
  }
  mistake(where, what + " must have a size that a launch knows: a dim or a number, not a tile");
  return {-1, 1};
}

} // namespace tessera::dsl
