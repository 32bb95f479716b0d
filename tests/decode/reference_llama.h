// A llama forward pass in double precision, straight from the file's tensors: slow, for the tests of the decode graph.
#pragma once
#include "runtime/model/config.h"
#include "runtime/model/gguf.h"
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::decode {

// The logits after every token, [tokens, vocab]. What the graph rounds by design is rounded here too: activations to 8
// bits before packed weights, keys and values to f16.
std::vector<double> referenceLogits(const model::Gguf &file, const model::ModelConfig &config,
                                    std::span<const int32_t> tokens);

} // namespace tessera::decode
