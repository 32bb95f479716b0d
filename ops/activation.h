// Activation functions on tiles, shared by the ops that apply them.
#pragma once
#include "dsl/dsl.h"

namespace tessera::ops {

enum class Activation { silu, gelu, geluTanh };

// f32, element by element; finite for every finite x, 0 far below zero and x far above.
//   silu:     x / (1 + exp(-x))
//   gelu:     x · Φ(x), Φ the normal distribution's function: |error| < 1e-6, relative < 2e-5 for x > -9
//   geluTanh: x / 2 · (1 + tanh(sqrt(2/π) (x + 0.044715 x³))), written as x / (1 + exp(-2 ...))
dsl::Tile activate(Activation kind, dsl::Tile x);

} // namespace tessera::ops
