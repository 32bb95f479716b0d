#include "runtime/model/config_tensors.h"
#include "runtime/model/gguf_format.h"
#include <algorithm>
#include <array>
#include <initializer_list>

namespace tessera::model {

namespace {
constexpr std::array matrixTypes = {DType::q4_0, DType::q4_1, DType::q8_0, DType::f16};

Status checkMatrix(const Gguf &file, std::string_view name, int64_t rows, int64_t columns) {
  const GgufTensor *tensor = TESSERA_TRY(file.require(name, std::array{rows, columns}));
  std::optional<DType> dtype = tensor->type->dtype;
  if (!dtype || std::ranges::find(matrixTypes, *dtype) == matrixTypes.end())
    return unsupported(file.about("the tensor " + quoted(name) + " has the quantization " +
                                  std::string(tensor->type->name) +
                                  ", which is not supported; supported: Q4_0, Q4_1, "
                                  "Q8_0, F16"));
  return {};
}

Status checkNorm(const Gguf &file, std::string_view name, int64_t size) {
  const GgufTensor *tensor = TESSERA_TRY(file.require(name, std::array{size}));
  if (tensor->type->dtype != f32)
    return unsupported(file.about("the tensor " + quoted(name) + " has the type " + std::string(tensor->type->name) +
                                  ", which is not supported for norms; supported: F32"));
  return {};
}

Status checkLayer(const Gguf &file, const LlamaConfig &config, int64_t layer) {
  std::string block = "blk." + std::to_string(layer) + ".";
  int64_t query = config.attention.heads * config.attention.headDim;
  int64_t key = config.attention.kvHeads * config.attention.headDim;
  TESSERA_TRY(checkNorm(file, block + "attn_norm.weight", config.hidden));
  TESSERA_TRY(checkMatrix(file, block + "attn_q.weight", query, config.hidden));
  TESSERA_TRY(checkMatrix(file, block + "attn_k.weight", key, config.hidden));
  TESSERA_TRY(checkMatrix(file, block + "attn_v.weight", key, config.hidden));
  TESSERA_TRY(checkMatrix(file, block + "attn_output.weight", config.hidden, query));
  TESSERA_TRY(checkNorm(file, block + "ffn_norm.weight", config.hidden));
  TESSERA_TRY(checkMatrix(file, block + "ffn_gate.weight", config.feedForward, config.hidden));
  TESSERA_TRY(checkMatrix(file, block + "ffn_up.weight", config.feedForward, config.hidden));
  return checkMatrix(file, block + "ffn_down.weight", config.hidden, config.feedForward);
}
} // namespace

Status readVocab(const Gguf &file, LlamaConfig &config) {
  const GgufTensor *embedding = file.find("token_embd.weight");
  if (!embedding)
    return invalidArgument(file.about("the tensor 'token_embd.weight' is missing"));
  config.vocab = embedding->shape.front();
  config.tiedHead = file.find("output.weight") == nullptr;
  return {};
}

Status checkTensors(const Gguf &file, const LlamaConfig &config) {
  TESSERA_TRY(checkMatrix(file, "token_embd.weight", config.vocab, config.hidden));
  TESSERA_TRY(checkNorm(file, "output_norm.weight", config.hidden));
  if (!config.tiedHead)
    TESSERA_TRY(checkMatrix(file, "output.weight", config.vocab, config.hidden));
  for (int64_t layer = 0; layer < config.layers; ++layer)
    TESSERA_TRY(checkLayer(file, config, layer));
  const bool ropeFactors = file.find("rope_freqs.weight") != nullptr;
  if (ropeFactors)
    TESSERA_TRY(checkNorm(file, "rope_freqs.weight", config.rope.rotaryDim / 2));
  // Biases, expert weights: a model that has them would be computed wrongly without them.
  size_t known = size_t(config.layers) * 9 + (config.tiedHead ? 2 : 3) + (ropeFactors ? 1 : 0);
  if (file.tensors().size() == known)
    return {};
  auto isKnown = [&](std::string_view name) {
    for (std::string_view suffix :
         {"token_embd.weight", "output_norm.weight", "output.weight", "attn_norm.weight", "attn_q.weight",
          "attn_k.weight", "attn_v.weight", "attn_output.weight", "ffn_norm.weight", "ffn_gate.weight", "ffn_up.weight",
          "ffn_down.weight", "rope_freqs.weight"})
      if (name.ends_with(suffix))
        return true;
    return false;
  };
  for (const GgufTensor &tensor : file.tensors())
    if (!isKnown(tensor.name))
      return unsupported(file.about("the tensor " + quoted(tensor.name) +
                                    " is no part of a plain llama model, so the "
                                    "model is not supported"));
  return invalidArgument(file.about("the file holds " + std::to_string(file.tensors().size()) +
                                    " tensors where its metadata asks for " + std::to_string(known)));
}

} // namespace tessera::model
