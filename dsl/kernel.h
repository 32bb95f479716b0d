// Kernel: what a kernel's definition declares first: its sizes, arguments and grid.
#pragma once
#include "dsl/range.h"
#include "dsl/tensor.h"
#include <array>
#include <string_view>
#include <tuple>

namespace tessera::dsl {

// A name with the line it was written on.
struct Name {
  std::string_view text;
  Where where;
  Name(const char *text, Where w = Where::current()) : text(text), where(w) {}
  Name(std::string_view text, Where w = Where::current()) : text(text), where(w) {}
  Name(const std::string &text, Where w = Where::current()) : text(text), where(w) {}
};

// The kernel being traced; made by trace(). Not copyable; used on the thread that traces.
class Kernel {
public:
  Kernel() = default;
  Kernel(const Kernel &) = delete;
  Kernel &operator=(const Kernel &) = delete;

  // Symbolic sizes, found at launch from the tensors' shapes: each must be an extent of some tensor.
  // One name gives a Dim, several an array for structured bindings.
  template <std::convertible_to<std::string_view>... N> auto dims(Name first, N... rest) {
    if constexpr (sizeof...(N) == 0)
      return declareDim(first.text, first.where);
    else
      return std::array<Dim, sizeof...(N) + 1>{declareDim(first.text, first.where), declareDim(rest, first.where)...};
  }

  // A tensor that is read / written / both. Extents: dims (or `K / 32`, `2 * d`) and constants > 0, row-major.
  // A packed weight (q4_0, ...) is a matrix that is only read; its columns come in whole blocks.
  Tensor in(Name name, DType dtype, std::vector<Size> extents);
  Tensor out(Name name, DType dtype, std::vector<Size> extents);
  Tensor inOut(Name name, DType dtype, std::vector<Size> extents);
  // A number given at launch.
  Tile scalar(Name name, DType dtype);

  // An op's own condition on its parameters; where it does not hold, `sentence` is the mistake and the definition may
  // return at once. Yields `holds`.
  bool require(bool holds, const std::string &sentence, Where where = Where::current());

  // The grid: one program per combination, the first axis slowest. Once per kernel. Yields a Range for each blocks()
  // and an index scalar for each each(): alone, or as a tuple.
  template <class... D> auto parallel(D... domains) {
    openGrid(sizeof...(D), std::get<0>(std::tie(domains...)).where);
    std::tuple<decltype(axis(0, domains))...> result{};
    [&]<size_t... I>(std::index_sequence<I...>) {
      ((std::get<I>(result) = axis(int(I), domains)), ...);
    }(std::index_sequence_for<D...>());
    if constexpr (sizeof...(D) == 1)
      return std::get<0>(result);
    else
      return result;
  }

private:
  Dim declareDim(std::string_view name, Where where);
  void openGrid(size_t axes, Where where);
  Tile axis(int number, const Points &domain);
  Range axis(int number, const Blocks &domain);
};

} // namespace tessera::dsl
