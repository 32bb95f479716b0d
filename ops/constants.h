// Numbers that several ops share.
#pragma once
#include <limits>

namespace tessera::ops {

inline constexpr double log2e = 1.4426950408889634;
inline constexpr double infinity = std::numeric_limits<double>::infinity();
// A finite stand-in for -infinity where a difference is taken: lowest - lowest is 0, not NaN.
inline constexpr double lowest = -1e30;

} // namespace tessera::ops
