// LinearMap: a linear map over GF(2), from numbers of `inBits` bits to numbers of `outBits` bits. Its addition is XOR.
//
// A block of a layout is such a map from hardware bits to coordinate bits, a swizzle is one from rows to what is XORed
// onto chunks, and questions about moves are operations on them: who holds an element is an inverse, which lane a lane
// takes from is a composition (compiler/layout/algebra.h).
// Source: "Linear Layouts", arXiv 2505.23819, sections 4 and 5.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera {

class LinearMap {
public:
  // columns[i] is the image of bit i. Requires at most 64 columns and images below 2^outBits.
  LinearMap(int outBits, std::vector<uint64_t> columns);
  static LinearMap identity(int bits);

  bool operator==(const LinearMap &) const = default;
  int inBits() const { return int(columns.size()); }
  int outBits() const { return bits; }
  uint64_t column(int bit) const { return columns[bit]; }
  uint64_t operator()(uint64_t x) const;

  // x -> (*this)(inner(x)). Requires inner.outBits() == inBits().
  LinearMap compose(const LinearMap &inner) const;
  int rank() const;
  // A map r with (*this)(r(y)) == y for every y, if every y is reached. Input bits whose images follow from those of
  // lower bits stay 0, so that of several x the inverse names the one without them.
  std::optional<LinearMap> inverse() const;

private:
  int bits;
  std::vector<uint64_t> columns;
};

} // namespace tessera
