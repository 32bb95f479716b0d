// Operations on layouts: products and quotients by fragments, inverses, and what a move between two layouts exchanges.
#pragma once
#include "compiler/layout/layout.h"
#include "compiler/layout/linear_map.h"

namespace tessera {

// `outer` made of copies of the block of `inner`: its bases and blocks count in blocks of `inner`, whose own bits come
// first. Requires equal ranks and one block in `inner`. A tensor core's accumulator is a product of what a thread,
// eight quads and the warps hold.
Layout product(const Layout &inner, const Layout &outer);

// What `layout` is made of copies of: q with product(fragment, q) == layout, if there is one. An instruction that moves
// `fragment` moves the layout's tile by as many steps as q has registers.
std::optional<Layout> divide(const Layout &layout, const Layout &fragment);

// Bits of one kind of hardware that walk along one axis, neighbours first: what products of matrices are made of.
// Requires that `extent` is a power of two.
using Bits = std::vector<Coordinate> Layout::*;
Layout along(Bits bits, int axis, int64_t extent, int rank = 2);

// Memory is a layout too: of one thread, whose registers are the elements in their order, as far as that is known. How
// many elements that `layout` numbers by its lowest registers (or lanes) memory has side by side, and in that order: of
// the fragments that memory begins with the largest by which the layout can be divided. One access moves them.
int64_t together(const Layout &layout, const Layout &memory, Bits bits);

// One block of a layout: bits of register, then lane, then warp, to bits of the coordinate, the last axis' lowest.
LinearMap blockMap(const Layout &layout);

// A layout's inverse: who holds an element.
class Holders {
public:
  explicit Holders(const Layout &layout);
  struct Holder {
    int64_t reg, thread;
    bool operator==(const Holder &) const = default;
  };
  // The first register of the thread that differs from `near` in the fewest bits.
  Holder at(const Coordinate &element, int64_t near = 0) const;
  // Bits of a thread's number that do not change what it holds.
  int64_t copies() const { return same; }

private:
  Coordinate extent, rep;
  int registerBits;
  int64_t same;
  LinearMap inverse;
};

// A move within warps by shuffles: what `shufflesBetween` finds. Lane l takes the word of result r from lane
// lanes(l) ^ words[r].lane, which offers its own register words[r].offered[its number].
struct ShufflePlan {
  LinearMap lanes;
  struct Word {
    int64_t lane;
    std::vector<int64_t> offered; // by lane: the first of `together` registers; -1 where nobody takes from it
    std::vector<int> asked;       // bits of the lane's number that `offered` depends on
  };
  std::vector<Word> words;
  int64_t together = 1; // neighbouring registers that move at once: a whole word of them, or one

  // Instructions of a thread: shuffles, and choices between registers.
  int64_t shuffles() const;
  int64_t selections() const;
};

// How the elements map(coordinate) of `from` reach the threads that hold `coordinate` of `to`, if each is in the same
// warp and each lane has at most four registers to choose from. `most` elements fill a word and move together where
// they can. `map` as in registersWithin().
std::optional<ShufflePlan> shufflesBetween(const Layout &from, const Layout &to,
                                           const std::function<Coordinate(Coordinate)> &map, int64_t most);

} // namespace tessera
