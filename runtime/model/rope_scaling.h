// RopeScaling: how a model stretches its rotary frequencies beyond the context that it was first trained for.
#pragma once
#include <cstdint>
#include <vector>

namespace tessera::model {

// As the file says it; ops/rope_tables.h says what each kind computes.
struct RopeScaling {
  enum class Kind { none, linear, llama3, yarn, longrope };
  Kind kind = Kind::none;
  double factor = 1;
  int64_t originalContext = 0;
  double low = 1, high = 4; // llama3: low_freq_factor and high_freq_factor; yarn: beta_slow and beta_fast
  double magnitude = 0;     // cosines and sines are multiplied by it; 0: what the kind's paper says
  std::vector<float> longFactors, shortFactors; // longrope: divisors, one a pair
  bool operator==(const RopeScaling &) const = default;
};

} // namespace tessera::model
