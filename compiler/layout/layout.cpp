#include "compiler/layout/layout.h"
#include <algorithm>
#include <bit>
#include <iterator>
#include <unordered_map>
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
  for (const auto *bases : {&lane, &warp, &reg})
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
  walk(warp, l >> lane.size());
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
    for (int64_t l = 0; l < threads(); ++l)
      if (int64_t &slot = where[elementNumber(at(r, l), extents)]; slot < 0)
        slot = r * threads() + l;
  return where;
}

Layout Layout::transposed() const {
  Layout out = *this;
  for (auto *bases : {&out.lane, &out.warp, &out.reg})
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

Coordinate elementAt(int64_t number, std::span<const int64_t> shape) {
  Coordinate at(shape.size());
  for (int d = int(shape.size()) - 1; d >= 0; --d) {
    at[d] = number % shape[d];
    number /= shape[d];
  }
  return at;
}

Layout Layout::sliced(int axis) const {
  Layout out = *this;
  for (auto *bases : {&out.lane, &out.warp, &out.reg})
    for (Coordinate &basis : *bases)
      basis[axis] = 0;
  std::erase_if(out.reg,
                [](const Coordinate &basis) { return std::ranges::all_of(basis, [](int64_t x) { return !x; }); });
  out.rep[axis] = 1;
  return out;
}

Layout Layout::dropped(int axis) const {
  Layout out = *this;
  for (auto *bases : {&out.lane, &out.warp, &out.reg})
    for (Coordinate &basis : *bases)
      basis.erase(basis.begin() + axis);
  out.rep.erase(out.rep.begin() + axis);
  return out;
}

Layout Layout::inserted(int axis) const {
  Layout out = *this;
  for (auto *bases : {&out.lane, &out.warp, &out.reg})
    for (Coordinate &basis : *bases)
      basis.insert(basis.begin() + axis, 0);
  out.rep.insert(out.rep.begin() + axis, 1);
  return out;
}

std::optional<Layout> Layout::reshaped(std::span<const int64_t> to) const {
  Coordinate from = shape(), extent = block();
  // Dimensions of extent 1 come and go freely.
  Layout squeezed = *this;
  for (int d = rank() - 1; d >= 0; --d)
    if (from[d] == 1)
      squeezed = squeezed.dropped(d);
  std::vector<int64_t> wanted;
  std::ranges::copy_if(to, std::back_inserter(wanted), [](int64_t e) { return e != 1; });
  Layout out = squeezed;
  if (squeezed.shape() != wanted) {
    out.rep.assign(wanted.size(), 1);
    Coordinate inner = squeezed.shape(), unit = squeezed.block();
    auto moved = [&](const Coordinate &basis) { return elementAt(elementNumber(basis, inner), wanted); };
    for (auto *bases : {&out.lane, &out.warp, &out.reg})
      for (Coordinate &basis : *bases)
        basis = moved(basis);
    for (int d = squeezed.rank() - 1; d >= 0; --d) { // repetitions become register bits, the last dimension's first
      if (!std::has_single_bit(uint64_t(squeezed.rep[d])))
        return std::nullopt;
      for (int64_t step = 1; step < squeezed.rep[d]; step *= 2) {
        Coordinate basis(inner.size(), 0);
        basis[d] = step * unit[d];
        out.reg.push_back(moved(basis));
      }
    }
    for (size_t d = 0; d < wanted.size(); ++d) // extents that are no power of two cannot be made of bits
      if (out.block()[d] != wanted[d])
        return std::nullopt;
  }
  for (size_t d = 0; d < to.size(); ++d)
    if (to[d] == 1)
      out = out.inserted(int(d));
  return out;
}

std::optional<std::vector<int64_t>> registersWithin(const Layout &from, const Layout &to,
                                                    const std::function<Coordinate(Coordinate)> &map) {
  Coordinate shape = from.shape();
  std::unordered_map<int64_t, int64_t> byElement; // thread 0's elements
  for (int64_t r = 0; r < from.registers(); ++r)
    byElement.emplace(elementNumber(from.at(r, 0), shape), r);
  std::vector<int64_t> out;
  for (int64_t r = 0; r < to.registers(); ++r) {
    auto found = byElement.find(elementNumber(map(to.at(r, 0)), shape));
    if (found == byElement.end())
      return std::nullopt;
    out.push_back(found->second);
    for (int64_t bit = 1; bit < to.threads(); bit *= 2)
      if (map(to.at(r, bit)) != from.at(found->second, bit))
        return std::nullopt;
  }
  return out;
}

} // namespace tessera
