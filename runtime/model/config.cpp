#include "runtime/model/config.h"
#include "runtime/model/config_tensors.h"
#include "runtime/model/gguf_format.h"
#include <cmath>
#include <filesystem>

namespace tessera::model {

namespace {
// Far above any real model, and low enough that products of two sizes never overflow.
constexpr int64_t sizeLimit = int64_t(1) << 30;
constexpr std::string_view prefix = "llama.";

Result<int64_t> positive(const Gguf &file, std::string_view name) {
  std::string key = std::string(prefix) + std::string(name);
  int64_t value = TESSERA_TRY(file.get<int64_t>(key));
  if (value < 1 || value > sizeLimit)
    return invalidArgument(file.about("the metadata key '" + key + "' is " + std::to_string(value) + ", outside 1 to " +
                                      std::to_string(sizeLimit)));
  return value;
}

Result<int64_t> positiveOr(const Gguf &file, std::string_view name, int64_t fallback) {
  return file.has(std::string(prefix) + std::string(name)) ? positive(file, name) : Result<int64_t>(fallback);
}

Result<double> positiveReal(const Gguf &file, std::string_view name, double fallback) {
  std::string key = std::string(prefix) + std::string(name);
  double value = TESSERA_TRY(file.getOr<double>(key, fallback));
  if (!std::isfinite(value) || value <= 0)
    return invalidArgument(file.about("the metadata key '" + key + "' is not a positive number"));
  return value;
}

Result<AttentionShape> attentionShape(const Gguf &file, int64_t hidden) {
  AttentionShape shape;
  shape.heads = TESSERA_TRY(positive(file, "attention.head_count"));
  shape.kvHeads = TESSERA_TRY(positiveOr(file, "attention.head_count_kv", shape.heads));
  if (shape.heads % shape.kvHeads != 0)
    return invalidArgument(file.about(std::to_string(shape.heads) + " query heads cannot share " +
                                      std::to_string(shape.kvHeads) + " kv heads evenly"));
  if (!file.has("llama.attention.key_length") && hidden % shape.heads != 0)
    return invalidArgument(file.about("an embedding of " + std::to_string(hidden) + " values does not divide into " +
                                      std::to_string(shape.heads) + " heads"));
  shape.headDim = TESSERA_TRY(positiveOr(file, "attention.key_length", hidden / shape.heads));
  int64_t valueDim = TESSERA_TRY(positiveOr(file, "attention.value_length", shape.headDim));
  if (valueDim != shape.headDim)
    return unsupported(file.about("keys of " + std::to_string(shape.headDim) + " and values of " +
                                  std::to_string(valueDim) + " per head differ, which is not supported"));
  return shape;
}

Result<RopeShape> ropeShape(const Gguf &file, int64_t headDim) {
  RopeShape rope;
  rope.rotaryDim = TESSERA_TRY(positiveOr(file, "rope.dimension_count", headDim));
  rope.base = TESSERA_TRY(positiveReal(file, "rope.freq_base", 10000));
  if (rope.rotaryDim > headDim || rope.rotaryDim % 2 != 0)
    return invalidArgument(file.about("the metadata key 'llama.rope.dimension_count' is " +
                                      std::to_string(rope.rotaryDim) + ", not an even number up to " +
                                      std::to_string(headDim)));
  std::string_view scaling = TESSERA_TRY(file.getOr<std::string_view>("llama.rope.scaling.type", "none"));
  if (scaling != "none")
    return unsupported(file.about("the rope scaling " + quoted(scaling) + " is not supported"));
  return rope;
}

Result<std::string> modelName(const Gguf &file) {
  std::string_view name = TESSERA_TRY(file.getOr<std::string_view>("general.name", ""));
  return name.empty() ? std::filesystem::path(file.path()).stem().string() : std::string(name);
}

// A token of the tokenizer without a row in the embedding would be read from beyond it.
Status checkVocabulary(const Gguf &file, const LlamaConfig &config) {
  constexpr std::string_view key = "tokenizer.ggml.tokens";
  if (!file.has(key))
    return {};
  size_t tokens = TESSERA_TRY(file.get<std::vector<std::string_view>>(key)).size();
  if (tokens != size_t(config.vocab))
    return invalidArgument(file.about("the tokenizer has " + std::to_string(tokens) + " tokens but the embedding " +
                                      std::to_string(config.vocab) + " rows"));
  return {};
}
} // namespace

Result<LlamaConfig> llamaConfig(const Gguf &file) {
  std::string_view architecture = TESSERA_TRY(file.get<std::string_view>("general.architecture"));
  if (architecture != "llama")
    return unsupported(file.about("the architecture " + quoted(architecture) + " is unknown; known: llama"));
  LlamaConfig config;
  config.name = TESSERA_TRY(modelName(file));
  config.layers = TESSERA_TRY(positive(file, "block_count"));
  config.hidden = TESSERA_TRY(positive(file, "embedding_length"));
  config.feedForward = TESSERA_TRY(positive(file, "feed_forward_length"));
  config.context = TESSERA_TRY(positive(file, "context_length"));
  config.normEpsilon = TESSERA_TRY(positiveReal(file, "attention.layer_norm_rms_epsilon", 1e-5));
  config.attention = TESSERA_TRY(attentionShape(file, config.hidden));
  config.rope = TESSERA_TRY(ropeShape(file, config.attention.headDim));
  TESSERA_TRY(readVocab(file, config));
  TESSERA_TRY(checkTensors(file, config));
  TESSERA_TRY(checkVocabulary(file, config));
  return config;
}

} // namespace tessera::model
