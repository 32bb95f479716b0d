// ModelConfig: the family, sizes and constants of a model, as a GGUF file or a Hugging Face folder gives them.
#pragma once
#include "base/result.h"
#include "runtime/model/family.h"
#include "runtime/model/gguf.h"
#include "runtime/model/rope_scaling.h"
#include <cstdint>
#include <string>
#include <vector>

namespace tessera::model {

// The query heads share the kv heads in groups of heads / kvHeads.
struct AttentionShape {
  int64_t heads = 0;
  int64_t kvHeads = 0;
  int64_t headDim = 0;
  bool operator==(const AttentionShape &) const = default;
};

// What becomes of a score before the softmax, and which positions a query sees.
struct AttentionRule {
  double scale = 0;           // of q · k; 0: 1 / sqrt(headDim)
  double softCap = 0;         // score = cap · tanh(score / cap); 0: none
  int64_t window = 0;         // positions a windowed layer sees, the query's own included; 0: there is no window
  std::vector<bool> windowed; // by layer; empty: none is
  double ropeBase = 0;        // rotary base of windowed layers, unscaled; 0: they turn as the others do
  bool operator==(const AttentionRule &) const = default;
};

// Rotary positions: angle(p, i) = p * base^(-2i / rotaryDim), i < rotaryDim / 2, before scaling.
struct RopeShape {
  int64_t rotaryDim = 0;
  double base = 10000;
  bool interleaved =
      true; // pairs (2i, 2i+1): llama's GGUF weights are permuted so; else halves, (i, i + rotaryDim / 2)
  bool operator==(const RopeShape &) const = default;
};

// How the file lays the model out, found from its tensors.
struct Layout {
  bool qkvBias = false, outputBias = false;
  bool fusedQkv = false;     // attn_qkv.weight: the rows of q, k and v
  bool fusedGateUp = false;  // ffn_up.weight: the gate's rows, then the up projection's
  bool onePlusNorms = false; // norm weights are 1 + what the file holds
  bool operator==(const Layout &) const = default;
};

// All sizes are positive, heads % kvHeads == 0, rotaryDim is even and <= headDim.
struct ModelConfig {
  std::string name; // general.name, or the file's name
  const Family *family = nullptr;
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t feedForward = 0;
  int64_t context = 0; // the longest sequence that the model was trained for
  int64_t vocab = 0;   // rows of token_embd.weight
  double normEpsilon = 1e-5;
  AttentionShape attention;
  AttentionRule rule;
  RopeShape rope;
  RopeScaling scaling;     // of the layers without a window's own base
  double logitSoftCap = 0; // logit = cap · tanh(logit / cap); 0: none
  bool tiedHead = true;    // no output.weight: the embedding is the head
  Layout layout;
  bool operator==(const ModelConfig &) const = default;

  bool windowed(int64_t layer) const {
    return rule.window > 0 && !rule.windowed.empty() && rule.windowed[size_t(layer)];
  }
};

// Errors name the file and the key or tensor; an unknown architecture is answered with the list of the known.
Result<ModelConfig> modelConfig(const Gguf &file);

// The divisors of rope_freqs.weight (Llama 3.1 and its kin), one a rotary pair; empty where the file has none.
Result<std::vector<float>> ropeDivisors(const Tensors &tensors, const ModelConfig &config);

} // namespace tessera::model
