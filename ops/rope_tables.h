// The angles of rotary embeddings with all ways of stretching them to longer contexts, as the tables that Rope reads.
#pragma once
#include <cstdint>
#include <vector>

namespace tessera::ops {

// How a model's frequencies f(i) = base^(-2i/n), n = rotaryDim, i < n/2, become those it was stretched to.
struct RopeScaling {
  enum class Kind : uint8_t {
    none,
    linear,   // f / factor
    ntk,      // dynamic NTK: base · (factor · context / original - factor + 1)^(n/(n-2)) once context > original
    yarn,     // f / factor for slow pairs, f for fast ones, a ramp between (Peng et al., arXiv 2309.00071)
    llama3,   // f / factor for long wavelengths, f for short ones, a blend between
    longRope, // f / factors[i], a list for contexts up to `original` and one beyond (Ding et al., arXiv 2402.13753)
  };
  Kind kind = Kind::none;
  double factor = 1;
  int64_t original = 0;                    // the context before stretching; ntk, yarn, llama3, longRope
  double lowFactor = 1, highFactor = 4;    // llama3: original / wavelength where the blend begins and ends
  double betaFast = 32, betaSlow = 1;      // yarn: turns within `original` where the ramp begins and ends
  double attentionFactor = 0;              // yarn, longRope: what cos and sin are multiplied by; 0: the paper's
  std::vector<float> factors, longFactors; // [n/2] divisors of f: longRope's two lists; else `factors` alone may divide
                                           // (llama.cpp's rope_freqs), on top of the kind's own rule
};

// Pair i turns by position · frequency[i]; cos and sin are multiplied by `magnitude`.
struct RopeFrequencies {
  std::vector<double> frequency;
  double magnitude = 1;
};
// `context`: the longest sequence that will be served (ntk, longRope). Nothing is checked: rotaryDim is even and
// positive, factor > 0, lists are empty or of rotaryDim/2.
RopeFrequencies ropeFrequencies(int64_t rotaryDim, double base, const RopeScaling &scaling, int64_t context);

// cos and sin f32 [positions, rotaryDim/2], computed in double.
struct RopeTable {
  std::vector<float> cos, sin;
};
RopeTable ropeTable(const RopeFrequencies &frequencies, int64_t positions);

} // namespace tessera::ops
