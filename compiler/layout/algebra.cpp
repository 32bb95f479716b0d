#include "compiler/layout/algebra.h"
#include <algorithm>
#include <bit>
#include <utility>

namespace tessera {

Layout product(const Layout &inner, const Layout &outer) {
  Layout out = inner;
  Coordinate extent = inner.block();
  auto append = [&](std::vector<Coordinate> &bases, const std::vector<Coordinate> &more) {
    for (Coordinate basis : more) {
      for (size_t d = 0; d < basis.size(); ++d)
        basis[d] *= extent[d];
      bases.push_back(basis);
    }
  };
  append(out.lane, outer.lane), append(out.reg, outer.reg), append(out.warp, outer.warp);
  out.rep = outer.rep;
  return out;
}

std::optional<Layout> divide(const Layout &layout, const Layout &fragment) {
  Coordinate extent = fragment.block();
  auto rest = [&](const std::vector<Coordinate> &bases,
                  const std::vector<Coordinate> &first) -> std::optional<std::vector<Coordinate>> {
    if (bases.size() < first.size() || !std::equal(first.begin(), first.end(), bases.begin()))
      return std::nullopt;
    std::vector<Coordinate> left(bases.begin() + int64_t(first.size()), bases.end());
    for (Coordinate &basis : left)
      for (size_t d = 0; d < basis.size(); ++d) {
        if (basis[d] % extent[d])
          return std::nullopt;
        basis[d] /= extent[d];
      }
    return left;
  };
  auto lane = rest(layout.lane, fragment.lane), reg = rest(layout.reg, fragment.reg),
       warp = rest(layout.warp, fragment.warp);
  if (!lane || !reg || !warp)
    return std::nullopt;
  Layout out;
  out.lane = *lane, out.reg = *reg, out.warp = *warp, out.rep = layout.rep;
  return out;
}

Layout along(Bits bits, int axis, int64_t extent, int rank) {
  Layout out;
  for (int64_t step = 1; step < extent; step *= 2) {
    Coordinate basis(size_t(rank), 0);
    basis[size_t(axis)] = step;
    (out.*bits).push_back(std::move(basis));
  }
  out.rep.assign(size_t(rank), 1);
  return out;
}

int64_t together(const Layout &layout, const Layout &memory, Bits bits) {
  Layout fragment;
  fragment.rep.assign(layout.rep.size(), 1);
  for (const Coordinate &basis : memory.reg) {
    (fragment.*bits).push_back(basis);
    if (!divide(layout, fragment)) {
      (fragment.*bits).pop_back();
      break;
    }
  }
  return int64_t(1) << (fragment.*bits).size();
}

// Of a coordinate inside a block, whose extents are powers of two.
static uint64_t coordinateBits(const Coordinate &at, const Coordinate &extent) {
  return uint64_t(elementNumber(at, extent));
}

LinearMap blockMap(const Layout &layout) {
  Coordinate extent = layout.block();
  std::vector<uint64_t> columns;
  for (const auto *bases : {&layout.reg, &layout.lane, &layout.warp})
    for (const Coordinate &basis : *bases)
      columns.push_back(coordinateBits(basis, extent));
  int bits = 0;
  for (int64_t e : extent)
    bits += std::countr_zero(uint64_t(e));
  return {bits, columns};
}

Holders::Holders(const Layout &layout)
    : extent(layout.block()), rep(layout.rep), registerBits(int(layout.reg.size())), same(0),
      inverse(*blockMap(layout).inverse()) {
  LinearMap map = blockMap(layout);
  for (int bit = registerBits; bit < map.inBits(); ++bit)
    if (!map.column(bit))
      same |= int64_t(1) << (bit - registerBits);
}

Holders::Holder Holders::at(const Coordinate &element, int64_t near) const {
  Coordinate inside(extent.size());
  int64_t block = 0;
  for (size_t d = 0; d < extent.size(); ++d) {
    inside[d] = element[d] % extent[d];
    block = block * rep[d] + element[d] / extent[d];
  }
  uint64_t bits = inverse(coordinateBits(inside, extent));
  int64_t low = int64_t(bits & ((uint64_t(1) << registerBits) - 1));
  return {block << registerBits | low, int64_t(bits >> registerBits) | (near & same)};
}

int64_t ShufflePlan::shuffles() const {
  int64_t count = 0;
  bool moves = lanes != LinearMap::identity(lanes.inBits());
  for (const Word &word : words)
    count += moves || word.lane;
  return count;
}

int64_t ShufflePlan::selections() const {
  int64_t count = 0;
  for (const Word &word : words)
    count += (int64_t(1) << word.asked.size()) - 1;
  return count;
}

// Which lane a lane takes from, but for what the register adds. Where a bit of the lane's number changes no more than
// the register, a copy of the same lane's elements, if there is one, offers the other register: the lane's own first.
static LinearMap lanesTaken(const Holders &holders, const Layout &to,
                            const std::function<Coordinate(Coordinate)> &map) {
  std::vector<uint64_t> columns;
  Holders::Holder start = holders.at(map(to.at(0, 0)));
  uint64_t copies = uint64_t(holders.copies()) & uint64_t(to.lanes() - 1), free = copies;
  std::vector<size_t> waiting;
  for (size_t bit = 0; bit < to.lane.size(); ++bit) {
    Holders::Holder there = holders.at(map(to.at(0, int64_t(1) << bit)));
    columns.push_back(uint64_t((there.thread ^ start.thread) & (to.lanes() - 1)));
    uint64_t own = uint64_t(1) << bit;
    if (!columns[bit] && (copies & own))
      columns[bit] = own, free &= ~own;
    else if (!columns[bit] && there.reg != start.reg)
      waiting.push_back(bit);
  }
  for (size_t bit : waiting) {
    columns[bit] = free & (~free + 1);
    free &= free - 1;
  }
  return {int(to.lane.size()), columns};
}

// The bits of a lane's number that tell what it offers, if they are two at most.
static std::optional<std::vector<int>> askedBits(const std::vector<int64_t> &offered) {
  std::vector<int> asked;
  auto agrees = [&] {
    int64_t mask = 0;
    for (int bit : asked)
      mask |= int64_t(1) << bit;
    std::vector<int64_t> by(offered.size(), -1);
    for (size_t lane = 0; lane < offered.size(); ++lane) {
      int64_t &one = by[lane & size_t(mask)];
      if (offered[lane] >= 0 && one >= 0 && one != offered[lane])
        return false;
      one = offered[lane] >= 0 ? offered[lane] : one;
    }
    return true;
  };
  int bits = std::countr_zero(offered.size());
  if (agrees())
    return asked;
  for (int a = 0; a < bits; ++a)
    if (asked = {a}; agrees())
      return asked;
  for (int a = 0; a < bits; ++a)
    for (int b = a + 1; b < bits; ++b)
      if (asked = {a, b}; agrees())
        return asked;
  return std::nullopt;
}

std::optional<ShufflePlan> shufflesBetween(const Layout &from, const Layout &to,
                                           const std::function<Coordinate(Coordinate)> &map, int64_t most) {
  if (from.lane.size() != to.lane.size() || from.warp.size() != to.warp.size())
    return std::nullopt;
  Holders holders(from);
  int64_t lanes = to.lanes(), inWarp = lanes - 1;
  ShufflePlan plan{lanesTaken(holders, to, map), {}};
  uint64_t seen = 0;
  for (size_t bit = 0; bit < to.lane.size(); seen |= plan.lanes.column(int(bit++)))
    if (seen & plan.lanes.column(int(bit)))
      return std::nullopt; // a sum of steps would carry
  for (int64_t r = 0; r < to.registers(); ++r) {
    Holders::Holder first = holders.at(map(to.at(r, 0)));
    ShufflePlan::Word word{first.thread & inWarp, std::vector<int64_t>(size_t(lanes), -1), {}};
    for (int64_t warp = lanes; warp < to.threads(); warp *= 2)
      if (holders.at(map(to.at(r, warp)), warp) != Holders::Holder{first.reg, first.thread | warp})
        return std::nullopt;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int64_t taken = int64_t(plan.lanes(uint64_t(lane))) ^ word.lane;
      auto [reg, thread] = holders.at(map(to.at(r, lane)), taken);
      int64_t &offered = word.offered[size_t(taken)];
      if (thread != taken || (offered >= 0 && offered != reg))
        return std::nullopt;
      offered = reg;
    }
    auto asked = askedBits(word.offered);
    if (!asked)
      return std::nullopt;
    word.asked = *asked;
    plan.words.push_back(std::move(word));
  }
  // Neighbours that everybody takes from neighbours move together.
  auto neighbours = [&](size_t first, size_t next) {
    const ShufflePlan::Word &a = plan.words[first], &b = plan.words[next];
    for (size_t lane = 0; lane < a.offered.size(); ++lane)
      if (a.offered[lane] >= 0 && b.offered[lane] != a.offered[lane] + int64_t(next - first))
        return false;
    return a.lane == b.lane;
  };
  bool all = most > 1 && plan.words.size() % size_t(most) == 0;
  for (size_t r = 0; all && r < plan.words.size(); ++r)
    all = neighbours(r / size_t(most) * size_t(most), r);
  if (all) {
    plan.together = most;
    for (size_t r = 0; r < plan.words.size() / size_t(most); ++r)
      plan.words[r] = plan.words[r * size_t(most)];
    plan.words.resize(plan.words.size() / size_t(most));
  }
  return plan;
}

} // namespace tessera
