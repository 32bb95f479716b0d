#include "runtime/model/config_checks.h"
#include "runtime/model/gguf_format.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace tessera::model {

namespace {
constexpr std::array matrixTypes = {f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k};
constexpr std::array vectorTypes = {DType::f32, DType::f16, DType::bf16};

Status checkType(const Tensors &file, const StoredTensor &tensor, std::span<const DType> known, std::string_view kind) {
  if (tensor.type->dtype && std::ranges::find(known, *tensor.type->dtype) != known.end())
    return {};
  std::string names;
  for (DType type : known)
    names += (names.empty() ? "" : ", ") + std::string(ggmlType(type)->name);
  return unsupported(file.about("the tensor " + quoted(tensor.name) + " has the type " +
                                std::string(tensor.type->name) + ", which is not supported for " + std::string(kind) +
                                "; supported: " + names));
}

Status checkTensor(const Tensors &file, const ExpectedTensor &want) {
  if (want.columns == 0) {
    const StoredTensor *tensor = TESSERA_TRY(file.require(want.name, std::array{want.rows}));
    return checkType(file, *tensor, vectorTypes, "vectors");
  }
  const StoredTensor *tensor = TESSERA_TRY(file.require(want.name, std::array{want.rows, want.columns}));
  return checkType(file, *tensor, matrixTypes, "matrices");
}

Status checkSizes(const Tensors &file, const ModelConfig &config) {
  const auto &[heads, kvHeads, headDim] = config.attention;
  if (heads % kvHeads != 0)
    return invalidArgument(file.about(std::to_string(heads) + " query heads cannot share " + std::to_string(kvHeads) +
                                      " kv heads evenly"));
  if (heads > sizeLimit / headDim)
    return invalidArgument(
        file.about(std::to_string(heads) + " heads of " + std::to_string(headDim) + " values are too many"));
  if (config.rope.rotaryDim > headDim || config.rope.rotaryDim % 2 != 0 || config.rope.rotaryDim < 2)
    return invalidArgument(file.about("rotary positions turn " + std::to_string(config.rope.rotaryDim) +
                                      " values of a head, not an even number up to " + std::to_string(headDim)));
  // One tensor a layer at least; a count beyond the tensors would only cost time before the first is missed.
  if (config.layers > int64_t(file.all().size()))
    return invalidArgument(file.about("the model claims " + std::to_string(config.layers) + " layers but holds only " +
                                      std::to_string(file.all().size()) + " tensors"));
  const RopeScaling &scaling = config.scaling;
  size_t pairs = scaling.kind == RopeScaling::Kind::longrope ? size_t(config.rope.rotaryDim / 2) : 0;
  if (scaling.longFactors.size() != pairs || scaling.shortFactors.size() != pairs)
    return invalidArgument(file.about("longrope wants " + std::to_string(pairs) + " factors a list, not " +
                                      std::to_string(scaling.longFactors.size()) + " and " +
                                      std::to_string(scaling.shortFactors.size())));
  return {};
}

Status readLayout(const Tensors &file, ModelConfig &config) {
  const StoredTensor *embedding = file.find("token_embd.weight");
  if (!embedding)
    return invalidArgument(file.about("the tensor 'token_embd.weight' is missing"));
  config.vocab = embedding->shape.front();
  config.tiedHead = file.find("output.weight") == nullptr;
  config.layout.qkvBias = file.find("blk.0.attn_q.bias") || file.find("blk.0.attn_qkv.bias");
  config.layout.outputBias = file.find("blk.0.attn_output.bias") != nullptr;
  config.layout.fusedQkv = file.find("blk.0.attn_qkv.weight") != nullptr;
  config.layout.fusedGateUp = file.find("blk.0.ffn_gate.weight") == nullptr;
  return {};
}

// Tensors that are read where they are, and no part of a layer.
constexpr std::string_view ropeTensors[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                            "rope_factors_short.weight"};

Status checkTensors(const Tensors &file, const ModelConfig &config) {
  std::vector<ExpectedTensor> expected = expectedTensors(config);
  for (const ExpectedTensor &want : expected)
    TESSERA_TRY(checkTensor(file, want));
  TESSERA_TRY(ropeDivisors(file, config));
  // Biases, expert weights: a model that has them would be computed wrongly without them.
  std::ranges::sort(expected, {}, &ExpectedTensor::name);
  for (const StoredTensor &tensor : file.all()) {
    auto at = std::ranges::lower_bound(expected, tensor.name, {}, &ExpectedTensor::name);
    bool known = at != expected.end() && at->name == tensor.name;
    if (!known && std::ranges::find(ropeTensors, tensor.name) == std::end(ropeTensors))
      return unsupported(file.about("the tensor " + quoted(tensor.name) + " is no part of a plain " +
                                    std::string(config.family->name) + " model, so the model is not supported"));
  }
  return {};
}
} // namespace

std::vector<ExpectedTensor> expectedTensors(const ModelConfig &config) {
  const auto &[heads, kvHeads, headDim] = config.attention;
  const Layout &layout = config.layout;
  int64_t hidden = config.hidden, inner = config.feedForward, query = heads * headDim, key = kvHeads * headDim;
  std::vector<ExpectedTensor> out = {{"token_embd.weight", config.vocab, hidden}, {"output_norm.weight", hidden, 0}};
  if (!config.tiedHead)
    out.push_back({"output.weight", config.vocab, hidden});
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    std::string block = "blk." + std::to_string(layer) + ".";
    auto add = [&](std::string_view name, int64_t rows, int64_t columns) {
      out.push_back({block + std::string(name), rows, columns});
    };
    // A product of `rows` outputs, with its bias where there is one.
    auto product = [&](const std::string &name, int64_t rows, int64_t columns, bool bias) {
      add(name + ".weight", rows, columns);
      if (bias)
        add(name + ".bias", rows, 0);
    };
    add("attn_norm.weight", hidden, 0);
    if (layout.fusedQkv) {
      product("attn_qkv", query + 2 * key, hidden, layout.qkvBias);
    } else {
      product("attn_q", query, hidden, layout.qkvBias);
      product("attn_k", key, hidden, layout.qkvBias);
      product("attn_v", key, hidden, layout.qkvBias);
    }
    product("attn_output", hidden, query, layout.outputBias);
    if (config.family->norms.heads) {
      add("attn_q_norm.weight", headDim, 0);
      add("attn_k_norm.weight", headDim, 0);
    }
    add("ffn_norm.weight", hidden, 0);
    if (!layout.fusedGateUp)
      add("ffn_gate.weight", inner, hidden);
    add("ffn_up.weight", layout.fusedGateUp ? 2 * inner : inner, hidden);
    add("ffn_down.weight", hidden, inner);
    if (config.family->norms.post) {
      add("post_attention_norm.weight", hidden, 0);
      add("post_ffw_norm.weight", hidden, 0);
    }
  }
  return out;
}

Status completeConfig(const Tensors &tensors, ModelConfig &config) {
  TESSERA_TRY(readLayout(tensors, config));
  TESSERA_TRY(checkSizes(tensors, config));
  return checkTensors(tensors, config);
}

void windowsByFamily(ModelConfig &config) {
  if (config.rule.window == 0)
    return;
  int full = config.family->windows.fullEvery;
  config.rule.ropeBase = config.family->windows.ropeBase;
  for (int64_t layer = 0; layer < config.layers; ++layer)
    config.rule.windowed.push_back(full == 0 || (layer + 1) % full != 0);
}

Result<std::vector<float>> floatVector(const Tensors &tensors, std::string_view name, int64_t size) {
  const StoredTensor *tensor = TESSERA_TRY(tensors.require(name, std::array{size}));
  if (tensor->type->dtype != f32)
    return unsupported(tensors.about("the tensor " + quoted(name) + " has the type " + std::string(tensor->type->name) +
                                     ", but rope factors are F32"));
  std::vector<float> out(static_cast<size_t>(size));
  std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
  for (float value : out)
    if (!(value > 0) || std::isinf(value))
      return invalidArgument(tensors.about("the tensor " + quoted(name) + " holds a factor that is not positive"));
  return out;
}

Result<std::vector<float>> ropeDivisors(const Tensors &tensors, const ModelConfig &config) {
  constexpr std::string_view name = "rope_freqs.weight";
  if (!tensors.find(name))
    return std::vector<float>();
  return floatVector(tensors, name, config.rope.rotaryDim / 2);
}

} // namespace tessera::model
