#include "runtime/model/config_checks.h"
#include "runtime/model/gguf_format.h"
#include "runtime/model/hugging_face.h"
#include <cmath>

namespace tessera::model {

namespace {

Result<int64_t> positive(const JsonValue &json, std::string_view key) {
  JsonValue value = TESSERA_TRY(json.at(key));
  int64_t number = TESSERA_TRY(value.as<int64_t>());
  if (number < 1 || number > sizeLimit)
    return invalidArgument(value.about("is " + std::to_string(number) + ", outside 1 to " + std::to_string(sizeLimit)));
  return number;
}
Result<int64_t> positiveOr(const JsonValue &json, std::string_view key, int64_t fallback) {
  return json.has(key) ? positive(json, key) : Result<int64_t>(fallback);
}
// 0 stands for what is not there.
Result<double> positiveReal(const JsonValue &json, std::string_view key, double fallback = 0) {
  if (!json.has(key))
    return fallback;
  double number = TESSERA_TRY(json.get<double>(key));
  if (number <= 0)
    return invalidArgument(TESSERA_TRY(json.at(key)).about("is not a positive number"));
  return number;
}

Status checkActivation(const JsonValue &json, const Family &family) {
  std::string_view wanted = family.gate == Gate::silu ? "silu" : "gelu_pytorch_tanh";
  std::string_view key = json.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  std::string name = TESSERA_TRY(json.getOr<std::string>(key, std::string(wanted)));
  if (name != wanted)
    return unsupported(TESSERA_TRY(json.at(key))
                           .about("is " + model::quoted(name) + ", but only " + std::string(wanted) +
                                  " is supported for " + std::string(family.name)));
  return {};
}

Result<AttentionShape> attentionShape(const JsonValue &json, int64_t hidden) {
  AttentionShape shape;
  shape.heads = TESSERA_TRY(positive(json, "num_attention_heads"));
  shape.kvHeads = TESSERA_TRY(positiveOr(json, "num_key_value_heads", shape.heads));
  if (!json.has("head_dim") && hidden % shape.heads != 0)
    return invalidArgument(json.about("divides " + std::to_string(hidden) + " values unevenly into " +
                                      std::to_string(shape.heads) + " heads"));
  shape.headDim = TESSERA_TRY(positiveOr(json, "head_dim", hidden / shape.heads));
  return shape;
}

// Layers by name, by the number of the first windowed one, or by the family's pattern.
Status readWindows(const JsonValue &json, ModelConfig &config) {
  AttentionRule &rule = config.rule;
  bool isQwen = config.family->name.starts_with("qwen");
  if (!json.has("sliding_window") || (isQwen && !TESSERA_TRY(json.getOr<bool>("use_sliding_window", false))))
    return {};
  rule.window = TESSERA_TRY(positive(json, "sliding_window"));
  if (config.layers > (1 << 16))
    return invalidArgument(json.about("claims " + std::to_string(config.layers) + " layers"));
  windowsByFamily(config);
  if (isQwen) {
    int64_t first = TESSERA_TRY(json.get<int64_t>("max_window_layers"));
    for (int64_t layer = 0; layer < config.layers; ++layer)
      rule.windowed[size_t(layer)] = layer >= first;
  }
  if (!json.has("layer_types"))
    return {};
  JsonValue types = TESSERA_TRY(json.at("layer_types"));
  std::vector<JsonValue> layers = TESSERA_TRY(types.elements());
  if (layers.size() != size_t(config.layers))
    return invalidArgument(
        types.about("names " + std::to_string(layers.size()) + " of " + std::to_string(config.layers) + " layers"));
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    std::string type = TESSERA_TRY(layers[layer].as<std::string>());
    if (type != "sliding_attention" && type != "full_attention")
      return unsupported(layers[layer].about("is " + model::quoted(type) + ", which is not supported"));
    rule.windowed[layer] = type == "sliding_attention";
  }
  return {};
}

Status readRule(const JsonValue &json, ModelConfig &config) {
  if (TESSERA_TRY(json.getOr<bool>("use_bidirectional_attention", false)))
    return unsupported(json.about("asks for bidirectional attention, which is not supported"));
  if (config.family->norms.post) {
    // Gemma's defaults are no defaults of ours: a value that is left out would be guessed.
    if (config.family->name == "gemma2")
      for (std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping"})
        TESSERA_TRY(json.at(key));
    double width = TESSERA_TRY(json.get<double>("query_pre_attn_scalar"));
    if (!(width > 0))
      return invalidArgument(TESSERA_TRY(json.at("query_pre_attn_scalar")).about("is not a positive number"));
    if (width != double(config.attention.headDim))
      config.rule.scale = 1 / std::sqrt(width);
  }
  config.rule.softCap = TESSERA_TRY(positiveReal(json, "attn_logit_softcapping"));
  config.logitSoftCap = TESSERA_TRY(positiveReal(json, "final_logit_softcapping"));
  return readWindows(json, config);
}

Result<std::vector<float>> factorList(const JsonValue &json, std::string_view key) {
  std::vector<float> out;
  for (const JsonValue &value : TESSERA_TRY(TESSERA_TRY(json.at(key)).elements())) {
    out.push_back(float(TESSERA_TRY(value.as<double>())));
    if (!(out.back() > 0) || std::isinf(out.back()))
      return invalidArgument(value.about("is not a positive number"));
  }
  return out;
}

// `json`: what holds rope_type and its parameters; `whole`: the document.
Result<RopeScaling> ropeScaling(const JsonValue &json, const JsonValue &whole, int64_t context) {
  using Kind = RopeScaling::Kind;
  RopeScaling s;
  std::string kind = TESSERA_TRY(json.getOr<std::string>(json.has("rope_type") ? "rope_type" : "type", "default"));
  if (kind == "default")
    return s;
  constexpr std::string_view original = "original_max_position_embeddings";
  s.factor = TESSERA_TRY(positiveReal(json, "factor", 1));
  s.originalContext = TESSERA_TRY(positiveOr(json.has(original) ? json : whole, original, context));
  s.magnitude = TESSERA_TRY(positiveReal(json, "attention_factor"));
  if (kind == "linear") {
    s.kind = Kind::linear;
  } else if (kind == "llama3") {
    s.kind = Kind::llama3;
    s.low = TESSERA_TRY(positiveReal(json, "low_freq_factor", 1));
    s.high = TESSERA_TRY(positiveReal(json, "high_freq_factor", 4));
    if (s.low >= s.high)
      return invalidArgument(json.about("has a 'low_freq_factor' that is not below its 'high_freq_factor'"));
  } else if (kind == "yarn" && !json.has("mscale")) {
    s.kind = Kind::yarn;
    s.low = TESSERA_TRY(positiveReal(json, "beta_slow", 1));
    s.high = TESSERA_TRY(positiveReal(json, "beta_fast", 32));
  } else if (kind == "longrope" || kind == "su") {
    s.kind = Kind::longrope;
    s.longFactors = TESSERA_TRY(factorList(json, "long_factor"));
    s.shortFactors = TESSERA_TRY(factorList(json, "short_factor"));
    s.factor = double(context) / double(s.originalContext);
  } else {
    return unsupported(json.about("has the rope type " + model::quoted(kind) +
                                  ", which is not supported; supported: default, "
                                  "linear, llama3, yarn, longrope"));
  }
  return s;
}

// Newer files hold everything in rope_parameters, per kind of layer where there are two; older ones spread it.
Status readRope(const JsonValue &json, ModelConfig &config) {
  config.rope.interleaved = false;
  JsonValue rope = json, scaling = json;
  if (json.has("rope_parameters"))
    rope = scaling = TESSERA_TRY(json.at("rope_parameters"));
  else if (json.has("rope_scaling"))
    scaling = TESSERA_TRY(json.at("rope_scaling"));
  double fallback = config.family->windows.ropeBase != 0 ? 1e6 : 1e4;
  double windowed = TESSERA_TRY(positiveReal(json, "rope_local_base_freq", config.family->windows.ropeBase));
  if (rope.has("full_attention")) {
    if (rope.has("sliding_attention"))
      windowed = TESSERA_TRY(positiveReal(TESSERA_TRY(rope.at("sliding_attention")), "rope_theta", windowed));
    rope = scaling = TESSERA_TRY(rope.at("full_attention"));
  }
  config.rope.base = TESSERA_TRY(positiveReal(rope, "rope_theta", fallback));
  config.rule.ropeBase = windowed;
  const JsonValue &partial = rope.has("partial_rotary_factor") ? rope : json;
  double share = TESSERA_TRY(positiveReal(partial, "partial_rotary_factor", 1));
  if (share > 1)
    return invalidArgument(partial.about("turns more than a whole head"));
  config.rope.rotaryDim = int64_t(double(config.attention.headDim) * share);
  config.scaling = TESSERA_TRY(ropeScaling(scaling, json, config.context));
  return {};
}

} // namespace

Result<ModelConfig> configFromJson(const JsonValue &json, const std::string &name) {
  JsonValue type = TESSERA_TRY(json.at("model_type"));
  std::string modelType = TESSERA_TRY(type.as<std::string>());
  ModelConfig config;
  config.name = name;
  config.family = familyByModelType(modelType);
  if (!config.family)
    return unsupported(type.about("is " + model::quoted(modelType) + ", which is unknown; known: " + modelTypeNames()));
  config.layers = TESSERA_TRY(positive(json, "num_hidden_layers"));
  config.hidden = TESSERA_TRY(positive(json, "hidden_size"));
  config.feedForward = TESSERA_TRY(positive(json, "intermediate_size"));
  config.context = TESSERA_TRY(positive(json, "max_position_embeddings"));
  config.normEpsilon = TESSERA_TRY(positiveReal(json, "rms_norm_eps", 1e-6));
  config.layout.onePlusNorms = config.family->norms.onePlus;
  TESSERA_TRY(checkActivation(json, *config.family));
  config.attention = TESSERA_TRY(attentionShape(json, config.hidden));
  TESSERA_TRY(readRule(json, config));
  TESSERA_TRY(readRope(json, config));
  return config;
}

} // namespace tessera::model
