// LlamaConfig: the sizes and constants of a llama-architecture model, read from GGUF metadata.
#pragma once
#include "base/result.h"
#include "runtime/model/gguf.h"
#include <cstdint>
#include <string>

namespace tessera::model {

// The query heads share the kv heads in groups of heads / kvHeads.
struct AttentionShape {
  int64_t heads = 0;
  int64_t kvHeads = 0;
  int64_t headDim = 0;
  bool operator==(const AttentionShape &) const = default;
};

// Rotary positions: angle(p, i) = p * base^(-2i / rotaryDim), i < rotaryDim / 2.
struct RopeShape {
  int64_t rotaryDim = 0;
  double base = 10000;
  bool interleaved = true; // pairs (2i, 2i+1): llama's GGUF weights are permuted so
  bool operator==(const RopeShape &) const = default;
};

// All sizes are positive, heads % kvHeads == 0, rotaryDim is even and <= headDim.
struct LlamaConfig {
  std::string name; // general.name, or the file's name
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t feedForward = 0;
  int64_t context = 0; // the longest sequence that the model was trained for
  int64_t vocab = 0;   // rows of token_embd.weight
  double normEpsilon = 1e-5;
  AttentionShape attention;
  RopeShape rope;
  bool tiedHead = true; // no output.weight: the embedding is the head
  bool operator==(const LlamaConfig &) const = default;
};

// Errors name the file and the key or tensor; an unknown architecture is answered with the list of the known.
Result<LlamaConfig> llamaConfig(const Gguf &file);

} // namespace tessera::model
