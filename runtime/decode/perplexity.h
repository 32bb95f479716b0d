// perplexity: how well a model predicts a text, for comparing weight formats and implementations.
#pragma once
#include "runtime/decode/model.h"
#include <vector>

namespace tessera::decode {

struct Perplexity {
  double value = 0;           // exp of the mean negative log-likelihood (natural) of the scored tokens
  int64_t scored = 0;         // tokens
  std::vector<double> losses; // of each scored token: its negative log-likelihood
};

// Cuts `tokens` into chunks of `context`, each read from an empty cache, and scores the second half of each: the tokens
// after positions context / 2 ... context - 2; what fills no chunk is left out. Source: llama.cpp's perplexity tool.
// Errors: a context that is odd, below 4 or above the model's; fewer tokens than one chunk; whatever Model::logits
// refuses.
Result<Perplexity> perplexity(Model &model, std::span<const int32_t> tokens, int64_t context);

} // namespace tessera::decode
