#include "runtime/model/config.h"
#include "runtime/model/config_checks.h"
#include "runtime/model/gguf_format.h"
#include <cmath>
#include <filesystem>

namespace tessera::model {

namespace {

// The metadata of one architecture: its keys start with the architecture's name.
class Metadata {
public:
  Metadata(const Gguf &file, std::string_view architecture) : file(file), prefix(std::string(architecture) + ".") {}

  bool has(std::string_view name) const { return file.has(key(name)); }
  Result<int64_t> positive(std::string_view name) const {
    int64_t value = TESSERA_TRY(file.get<int64_t>(key(name)));
    if (value < 1 || value > sizeLimit)
      return invalidArgument(file.about("the metadata key '" + key(name) + "' is " + std::to_string(value) +
                                        ", outside 1 to " + std::to_string(sizeLimit)));
    return value;
  }
  Result<int64_t> positiveOr(std::string_view name, int64_t fallback) const {
    return has(name) ? positive(name) : Result<int64_t>(fallback);
  }
  Result<double> positiveReal(std::string_view name, double fallback) const {
    double value = TESSERA_TRY(file.getOr<double>(key(name), fallback));
    if (has(name) && (!std::isfinite(value) || value <= 0))
      return invalidArgument(file.about("the metadata key '" + key(name) + "' is not a positive number"));
    return value;
  }
  Result<std::string_view> text(std::string_view name, std::string_view fallback) const {
    return file.getOr<std::string_view>(key(name), fallback);
  }

private:
  std::string key(std::string_view name) const { return prefix + std::string(name); }
  const Gguf &file;
  std::string prefix;
};

Result<AttentionShape> attentionShape(const Gguf &file, const Metadata &data, int64_t hidden) {
  AttentionShape shape;
  shape.heads = TESSERA_TRY(data.positive("attention.head_count"));
  shape.kvHeads = TESSERA_TRY(data.positiveOr("attention.head_count_kv", shape.heads));
  if (!data.has("attention.key_length") && hidden % shape.heads != 0)
    return invalidArgument(file.about("an embedding of " + std::to_string(hidden) + " values does not divide into " +
                                      std::to_string(shape.heads) + " heads"));
  shape.headDim = TESSERA_TRY(data.positiveOr("attention.key_length", hidden / shape.heads));
  int64_t valueDim = TESSERA_TRY(data.positiveOr("attention.value_length", shape.headDim));
  if (valueDim != shape.headDim)
    return unsupported(file.about("keys of " + std::to_string(shape.headDim) + " and values of " +
                                  std::to_string(valueDim) + " per head differ, which is not supported"));
  return shape;
}

// Gemma's largest models scale by the width of a head that they do not have; their files do not say so.
double attentionScale(const ModelConfig &config) {
  bool largest = (config.family->name == "gemma2" && config.layers == 46) ||
                 (config.family->name == "gemma3" && config.layers == 62);
  return largest ? 1 / std::sqrt(double(config.hidden) / double(config.attention.heads)) : 0;
}

Result<AttentionRule> attentionRule(const Metadata &data, const ModelConfig &config) {
  AttentionRule rule;
  rule.scale = attentionScale(config);
  rule.softCap = TESSERA_TRY(data.positiveReal("attn_logit_softcapping", 0));
  rule.window = TESSERA_TRY(data.positiveOr("attention.sliding_window", 0));
  return rule;
}

Result<RopeShape> ropeShape(const Metadata &data, const ModelConfig &config) {
  RopeShape rope;
  rope.rotaryDim = TESSERA_TRY(data.positiveOr("rope.dimension_count", config.attention.headDim));
  rope.base = TESSERA_TRY(data.positiveReal("rope.freq_base", 10000));
  rope.interleaved = config.family->pairedRope;
  return rope;
}

Result<RopeScaling> ropeScaling(const Gguf &file, const Metadata &data, const ModelConfig &config) {
  using Kind = RopeScaling::Kind;
  RopeScaling s;
  s.factor = TESSERA_TRY(data.positiveReal("rope.scaling.factor", 1));
  s.originalContext = TESSERA_TRY(data.positiveOr("rope.scaling.original_context_length", config.context));
  double attention = TESSERA_TRY(data.positiveReal("rope.scaling.attn_factor", 1));
  std::string_view kind = TESSERA_TRY(data.text("rope.scaling.type", "none"));
  Tensors tensors = file.named();
  if (tensors.find("rope_factors_long.weight") || tensors.find("rope_factors_short.weight") || kind == "longrope") {
    s.kind = Kind::longrope;
    s.magnitude = attention;
    s.longFactors = TESSERA_TRY(floatVector(tensors, "rope_factors_long.weight", config.rope.rotaryDim / 2));
    s.shortFactors = TESSERA_TRY(floatVector(tensors, "rope_factors_short.weight", config.rope.rotaryDim / 2));
  } else if (kind == "linear") {
    s.kind = Kind::linear;
  } else if (kind == "yarn") {
    s.kind = Kind::yarn;
    s.low = TESSERA_TRY(data.positiveReal("rope.scaling.yarn_beta_slow", 1));
    s.high = TESSERA_TRY(data.positiveReal("rope.scaling.yarn_beta_fast", 32));
    s.magnitude = attention * (1 + 0.1 * std::log(s.factor));
  } else if (kind != "none") {
    return unsupported(file.about("the rope scaling " + quoted(kind) +
                                  " is not supported; supported: none, linear, "
                                  "yarn, longrope"));
  }
  return s.kind == Kind::none ? RopeScaling() : s;
}

Result<std::string> modelName(const Gguf &file) {
  std::string_view name = TESSERA_TRY(file.getOr<std::string_view>("general.name", ""));
  return name.empty() ? std::filesystem::path(file.path()).stem().string() : std::string(name);
}

// A token of the tokenizer without a row in the embedding would be read from beyond it.
Status checkVocabulary(const Gguf &file, const ModelConfig &config) {
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

Result<ModelConfig> modelConfig(const Gguf &file) {
  std::string_view architecture = TESSERA_TRY(file.get<std::string_view>("general.architecture"));
  ModelConfig config;
  config.family = familyByArchitecture(architecture);
  if (!config.family)
    return unsupported(file.about("the architecture " + quoted(architecture) + " is unknown; known: " + familyNames()));
  Metadata data(file, architecture);
  config.name = TESSERA_TRY(modelName(file));
  config.layers = TESSERA_TRY(data.positive("block_count"));
  config.hidden = TESSERA_TRY(data.positive("embedding_length"));
  config.feedForward = TESSERA_TRY(data.positive("feed_forward_length"));
  config.context = TESSERA_TRY(data.positive("context_length"));
  config.normEpsilon = TESSERA_TRY(data.positiveReal("attention.layer_norm_rms_epsilon", 1e-5));
  config.logitSoftCap = TESSERA_TRY(data.positiveReal("final_logit_softcapping", 0));
  config.attention = TESSERA_TRY(attentionShape(file, data, config.hidden));
  config.rule = TESSERA_TRY(attentionRule(data, config));
  config.rope = TESSERA_TRY(ropeShape(data, config));
  config.scaling = TESSERA_TRY(ropeScaling(file, data, config));
  TESSERA_TRY(completeConfig(file.named(), config));
  windowsByFamily(config);
  TESSERA_TRY(checkVocabulary(file, config));
  return config;
}

} // namespace tessera::model
