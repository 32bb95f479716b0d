// Sampler: draws tokens from the softmax of logits, reproducibly.
#pragma once
#include <cstdint>
#include <span>

namespace tessera::decode {

// PCG32 (M. O'Neill, pcg-random.org, XSH-RR 64/32): the same draws on every machine.
class Pcg32 {
public:
  explicit Pcg32(uint64_t seed, uint64_t stream = 1);
  uint32_t next();
  double uniform(); // in [0, 1), 53 random bits

private:
  uint64_t state, increment;
};

// Draws from softmax(logits / temperature), temperature > 0, in double precision and ascending token order; a NaN logit
// is never drawn. One draw of the generator a token. Not thread-safe.
class Sampler {
public:
  Sampler(double temperature, uint64_t seed) : temperature(temperature), random(seed) {}
  int32_t draw(std::span<const float> logits);

private:
  double temperature;
  Pcg32 random;
};

// ln softmax(logits)[token], in double precision.
double logProbability(std::span<const float> logits, int32_t token);

} // namespace tessera::decode
