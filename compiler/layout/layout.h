// Layout: where each element of a tile lives. A linear map over GF(2) from hardware bits to tile coordinates, repeated.
//
// A tile is cut into equal blocks whose extents are powers of two; block (i, j, ...) of `rep` holds the elements
//   coordinate(register, lane) = block index * block extent + XOR of the bases of the bits set in register and lane.
// One basis is one coordinate (a number per dimension): lane = {{0,1},{0,2}} says that lane bits 0 and 1 walk along the
// last axis. Because the map is linear, questions about access become questions about bases: a vector load is wide when
// the lane bases are consecutive addresses, a transpose is an exchange of a lane bit with a register bit, and a
// broadcast is a zero basis. Because blocks repeat a whole number of times, extents need not be powers of two
// (80 = 5 x 16). Registers are numbered block by block, blocks in row-major order.
// A layout without lane bits holds one element a register: on a CPU such a register is a scalar.
// On a GPU `lane` are the bits of the thread in its warp and `warp` those of the warp in its block; a thread holds one
// element a register. A zero basis says that threads which differ in that bit alone hold the same elements.
// Source: "Linear Layouts", arXiv 2505.23819; the repetition is ours.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace tessera {

using Coordinate = std::vector<int64_t>;

class Layout {
public:
  std::vector<Coordinate> lane, reg; // one basis per bit
  std::vector<int64_t> rep;          // blocks along each dimension
  std::vector<Coordinate> warp;      // empty on a CPU

  bool operator==(const Layout &) const = default;

  int rank() const { return int(rep.size()); }
  int lanes() const { return 1 << lane.size(); }
  int threads() const { return 1 << (lane.size() + warp.size()); } // lanes of all warps
  int64_t registers() const;                                       // in the whole tile
  Coordinate block() const;                                        // extents of one block
  Coordinate shape() const;                                        // block * rep

  // The element that register `r` holds in lane `l` (of warp `l / lanes()`).
  Coordinate at(int64_t r, int64_t l) const;

  // Where every element lives: entry i (row-major element number) is register * threads() + lane. Elements held by
  // several lanes name the lowest.
  std::vector<int64_t> inverse() const;

  // What holds the tile after a reduction along `axis` to extent 1: registers along it are gone, lanes and warps along
  // it hold the same.
  Layout sliced(int axis) const;
  // Without a dimension of extent 1, and with one.
  Layout dropped(int axis) const;
  Layout inserted(int axis) const;
  // The same elements in the same places under another shape (row-major). None where an extent that is no power of two
  // is cut or joined.
  std::optional<Layout> reshaped(std::span<const int64_t> shape) const;

  // The layout of the transposed matrix, coordinates swapped. Its registers are numbered by its own blocks. Rank 2
  // only.
  Layout transposed() const;
};

// Lanes along the last axis, `lanes` of them or the largest power of two that divides its extent; one row a register.
Layout rowLayout(std::span<const int64_t> shape, int lanes);

// Row-major number of a coordinate in a shape, and back.
int64_t elementNumber(const Coordinate &at, std::span<const int64_t> shape);
Coordinate elementAt(int64_t number, std::span<const int64_t> shape);

// Whether element map(coordinate) of `from` lies in the thread that holds `coordinate` of `to`, for all of them; if so,
// entry r is the register of `from` that register r of `to` equals. `map` must take sums of coordinates that share no
// bits to sums.
std::optional<std::vector<int64_t>> registersWithin(const Layout &from, const Layout &to,
                                                    const std::function<Coordinate(Coordinate)> &map);

} // namespace tessera
