#include "ops/activation.h"
#include "ops/constants.h"
#include <cmath>
#include <numbers>

namespace tessera::ops {
using namespace dsl;

// x · sigmoid(z); exp2 saturates, so the quotient goes to 0 or x.
static Tile gated(Tile x, Tile z) { return x / (exp2(z * -log2e) + 1.0); }

// x Φ(x) = max(x, 0) - |x| Φ(-|x|), and Φ(-a) = 2^-P(a) with a smooth P: no branch, and no cancellation below zero.
// P's coefficients are a weighted minimax fit of -log2 Φ(-a) on [0, 13], where Φ(-a) reaches 6e-39.
static Tile gelu(Tile x) {
  constexpr double fit[] = {1,
                            1.1511659622192383,
                            0.4588199853897095,
                            0.05334075540304184,
                            -0.007942376658320427,
                            0.0006274066399782896,
                            3.9474623918067664e-05,
                            -1.9672266716952436e-05,
                            2.9272193842189154e-06,
                            -2.5057443053810857e-07,
                            1.302038832307062e-08,
                            -3.8242409239330755e-10,
                            4.884287418960298e-12};
  Tile a = min(abs(x), 13.0), p = a * fit[12] + fit[11];
  for (int i = 10; i >= 0; --i)
    p = p * a + fit[i];
  return max(x, 0.0) - a * exp2(-p);
}

Tile activate(Activation kind, Tile x) {
  switch (kind) {
  case Activation::silu:
    return gated(x, x);
  case Activation::gelu:
    return gelu(x);
  case Activation::geluTanh:
    // Beyond 30 the cube adds nothing, and it must not overflow.
    Tile z = max(min(x, 30.0), -30.0);
    return gated(x, (z + z * z * z * 0.044715) * (2 * std::sqrt(2 / std::numbers::pi)));
  }
  return x;
}

} // namespace tessera::ops
