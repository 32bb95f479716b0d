// Tensor: a kernel's argument in memory, and the verbs that move tiles between it and the kernel.
#pragma once
#include "dsl/range.h"

namespace tessera::dsl {

// The parts of a packed weight tensor (base/dtype.h).
enum class Part : uint8_t { whole, codes, scales, mins, superScales, superMins };

// A part of a tensor named by subscripts; nothing is read until load.
struct View {
  uint64_t kernel = 0;
  int tensor = -1; // number of the argument
  std::vector<Subscript> subscripts;
  Part part = Part::whole;
};

// One argument of the kernel. Row-major, contiguous.
class Tensor {
public:
  Tensor() = default;
  Tensor(uint64_t kernel, int number) : kernel(kernel), number(number) {}
  // One subscript an axis.
  template <class... S>
    requires(std::convertible_to<S, Subscript> && ...)
  View operator()(S... subscripts) const {
    return {kernel, number, {Subscript(std::move(subscripts))...}};
  }

private:
  uint64_t kernel = 0;
  int number = -1;
};

// Parts of a packed matrix block [n, k] of a format with g values a scale and b values a block: codes u8 [n, k] (bias
// not subtracted), scales and mins [n, k/g] (f16, or bytes where there are two levels), superScales and superMins f16
// [n, k/b] ([n, 1] where the range is a part of one block). Values in panels (panel_*) have no parts: load the view.
View codes(View view);
View scales(View view);
View mins(View view);
View superScales(View view);
View superMins(View view);

// The tile that the view selects; 0 where a Range passes its bound or the mask (i1, stretched to the tile) is false.
// A scalar if every axis is a point. Masked-off gathers are not followed.
Tile load(View view, Where where = Where::current());
Tile load(View view, Tile mask, Where where = Where::current());
// Writes `value` where ranges and mask allow. Shape and dtype must be the view's (a scalar value fills it).
void store(View view, Tile value, Where where = Where::current());
void store(View view, Tile value, Tile mask, Where where = Where::current());
// Adds element by element, safe against other programs; the order, so the last bit of a float sum, is not fixed.
void atomicAdd(View view, Tile value, Where where = Where::current());
void atomicAdd(View view, Tile value, Tile mask, Where where = Where::current());

} // namespace tessera::dsl
