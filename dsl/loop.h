// loop: a loop of the kernel that stays a loop, with the tiles that it carries from step to step.
#pragma once
#include "dsl/range.h"
#include <array>
#include <span>

namespace tessera::dsl {

// Several tiles carried by one loop: as its start, and as what its body returns.
template <std::convertible_to<Tile>... T> std::array<Tile, sizeof...(T)> carry(T... tiles) { return {Tile(tiles)...}; }

namespace detail {
struct Loop {
  void *op = nullptr;
  Tile point;                // each: the position
  Range range;               // blocks: the block
  std::vector<Tile> carried; // inside the body
  Where where;
};
Loop openLoop(const Points &domain, std::span<const Tile> start, Where where);
Loop openLoop(const Blocks &domain, std::span<const Tile> start, Where where);
std::vector<Tile> closeLoop(Loop &loop, std::span<const Tile> next);

template <class Domain> struct Step;
template <> struct Step<Points> {
  using type = Tile;
  static const Tile &of(const Loop &loop) { return loop.point; }
};
template <> struct Step<Blocks> {
  using type = Range;
  static const Range &of(const Loop &loop) { return loop.range; }
};
template <class D>
concept Domain = std::same_as<D, Points> || std::same_as<D, Blocks>;
template <class B, class D>
concept PlainBody = std::invocable<B, typename Step<D>::type>;
} // namespace detail

// Runs body(step, carried...) for each step in ascending order; the body returns the tiles for the next step, of the
// same shapes and dtypes. Yields what the last step returned, or `start` if there was none.
template <detail::Domain D, size_t N, class Body>
std::array<Tile, N> loop(D domain, std::array<Tile, N> start, Body body, Where where = Where::current()) {
  detail::Loop open = detail::openLoop(domain, start, where);
  return [&]<size_t... I>(std::index_sequence<I...>) {
    std::array<Tile, N> next = body(detail::Step<D>::of(open), open.carried[I]...);
    std::vector<Tile> result = detail::closeLoop(open, next);
    return std::array<Tile, N>{result[I]...};
  }(std::make_index_sequence<N>());
}

// The same with one tile.
template <detail::Domain D, class Body> Tile loop(D domain, Tile start, Body body, Where where = Where::current()) {
  detail::Loop open = detail::openLoop(domain, std::span(&start, 1), where);
  Tile next = body(detail::Step<D>::of(open), open.carried[0]);
  return detail::closeLoop(open, std::span(&next, 1))[0];
}

// The same with nothing carried: the body stores.
template <detail::Domain D, detail::PlainBody<D> Body> void loop(D domain, Body body, Where where = Where::current()) {
  detail::Loop open = detail::openLoop(domain, {}, where);
  body(detail::Step<D>::of(open));
  (void)detail::closeLoop(open, {});
}

} // namespace tessera::dsl
