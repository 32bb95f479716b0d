#include "compiler/layout/layout.h"
#include <utility>

namespace tessera {

int64_t Layout::registers() const {
  int64_t count = int64_t(1) << reg.size();
  for (int64_t r : rep)
    count *= r;
  return count;
}

Coordinate Layout::block() const {
  Coordinate extent(rep.size(), 0);
  for (const auto *bases : {&lane, &reg})
    for (const Coordinate &basis : *bases)
      for (size_t d = 0; d < extent.size(); ++d)
        extent[d] |= basis[d];
  for (int64_t &e : extent)
    ++e; // the bases of one dimension are distinct powers of two, so their union is extent - 1
  return extent;
}

Coordinate Layout::shape() const {
  Coordinate extent = block();
  for (size_t d = 0; d < extent.size(); ++d)
    extent[d] *= rep[d];
  return extent;
}

Coordinate Layout::at(int64_t r, int64_t l) const {
  Coordinate inside(rep.size(), 0), extent = block();
  auto walk = [&](const std::vector<Coordinate> &bases, int64_t number) {
    for (size_t bit = 0; bit < bases.size(); ++bit)
      if (number >> bit & 1)
        for (size_t d = 0; d < inside.size(); ++d)
          inside[d] ^= bases[bit][d];
  };
  walk(lane, l);
  walk(reg, r & ((int64_t(1) << reg.size()) - 1));
  int64_t blockNumber = r >> reg.size();
  for (int d = rank() - 1; d >= 0; --d) {
    inside[d] += blockNumber % rep[d] * extent[d];
    blockNumber /= rep[d];
  }
  return inside;
}

std::vector<int64_t> Layout::inverse() const {
  Coordinate extents = shape();
  int64_t elements = 1;
  for (int64_t e : extents)
    elements *= e;
  std::vector<int64_t> where(elements, -1);
  for (int64_t r = 0; r < registers(); ++r)
    for (int64_t l = 0; l < lanes(); ++l)
      if (int64_t &slot = where[elementNumber(at(r, l), extents)]; slot < 0)
        slot = r * lanes() + l;
  return where;
}

Layout Layout::transposed() const {
  Layout out = *this;
  for (auto *bases : {&out.lane, &out.reg})
    for (Coordinate &basis : *bases)
      std::swap(basis[0], basis[1]);
  std::swap(out.rep[0], out.rep[1]);
  return out;
}

Layout rowLayout(std::span<const int64_t> shape, int lanes) {
  Layout out;
  out.rep.assign(shape.begin(), shape.end());
  if (shape.empty())
    return out;
  int64_t &last = out.rep.back();
  for (int64_t step = 1; step < lanes && last % 2 == 0; step *= 2, last /= 2) {
    Coordinate basis(shape.size(), 0);
    basis.back() = step;
    out.lane.push_back(basis);
  }
  return out;
}

int64_t elementNumber(const Coordinate &at, std::span<const int64_t> shape) {
  int64_t number = 0;
  for (size_t d = 0; d < shape.size(); ++d)
    number = number * shape[d] + at[d];
  return number;
}

} // namespace tessera
