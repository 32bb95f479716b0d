// How far a result lies from its oracle: the measures of the project's tolerances.
#pragma once
#include "base/dtype.h"
#include <span>

namespace tessera::reference {

// sum((a-b)²) / sum(b²); infinite where a is not finite but b is, so that a leaked NaN never passes. 0 / 0 is 0.
double nmse(std::span<const float> result, std::span<const double> oracle);

// max|a - b|, infinite where a is NaN.
double maxError(std::span<const float> result, std::span<const double> oracle);

// The adaptive rule of the FlashAttention tests:
//   max|o - ref| <= r · max|low - ref| + 2 · max|(ref + 0.3 - 0.3) - ref|, the last sum in `dtype` (f32, f16 or bf16).
double adaptiveBound(std::span<const float> lowPrecision, std::span<const double> oracle, double r = 2,
                     DType dtype = f32);

} // namespace tessera::reference
