#include "runtime/model/hugging_face.h"
#include "runtime/model/config_checks.h"
#include "runtime/model/gguf_format.h"
#include "runtime/model/safetensors.h"
#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

namespace tessera::model {

namespace {

using Names = std::map<std::string_view, std::string_view>;

const Names outerNames = {{"model.embed_tokens.weight", "token_embd.weight"},
                          {"model.norm.weight", "output_norm.weight"},
                          {"lm_head.weight", "output.weight"}};
// Without ".weight" or ".bias".
const Names layerNames = {{"input_layernorm", "attn_norm"},        {"self_attn.q_proj", "attn_q"},
                          {"self_attn.k_proj", "attn_k"},          {"self_attn.v_proj", "attn_v"},
                          {"self_attn.qkv_proj", "attn_qkv"},      {"self_attn.o_proj", "attn_output"},
                          {"self_attn.q_norm", "attn_q_norm"},     {"self_attn.k_norm", "attn_k_norm"},
                          {"mlp.gate_proj", "ffn_gate"},           {"mlp.up_proj", "ffn_up"},
                          {"mlp.gate_up_proj", "ffn_up"},          {"mlp.down_proj", "ffn_down"},
                          {"post_attention_layernorm", "ffn_norm"}};
// Where there are norms after both parts, one name means something else.
const Names postNormNames = {{"post_attention_layernorm", "post_attention_norm"},
                             {"pre_feedforward_layernorm", "ffn_norm"},
                             {"post_feedforward_layernorm", "post_ffw_norm"}};

// GGUF's name; the own one where there is none, which the check of the tensors will refuse.
std::string canonicalName(const std::string &name, const Family &family) {
  if (auto at = outerNames.find(name); at != outerNames.end())
    return std::string(at->second);
  constexpr std::string_view layers = "model.layers.";
  size_t index = layers.size(), dot = name.find('.', index), last = name.rfind('.');
  if (!name.starts_with(layers) || dot == std::string::npos || last <= dot)
    return name;
  std::string_view inner = std::string_view(name).substr(dot + 1, last - dot - 1);
  auto found = layerNames.find(inner);
  if (family.norms.post)
    if (auto post = postNormNames.find(inner); post != postNormNames.end())
      found = post;
  if (found == layerNames.end() || found == postNormNames.end())
    return name;
  return "blk." + name.substr(index, dot - index) + "." + std::string(found->second) + name.substr(last);
}

// Which files hold the tensors, and, where an index says so, which tensors each of them must hold.
using Shards = std::map<std::string, std::set<std::string>>;

Result<Shards> findShards(const std::string &folder) {
  const std::string single = folder + "/model.safetensors", index = single + ".index.json";
  if (std::filesystem::exists(single) || !std::filesystem::exists(index))
    return Shards{{"model.safetensors", {}}};
  JsonValue map = TESSERA_TRY(TESSERA_TRY(JsonValue::open(index)).at("weight_map"));
  if (!map.isObject() || map.raw().empty())
    return invalidArgument(map.about("is not an object that maps tensors to files"));
  Shards shards;
  for (const auto &[tensor, value] : map.raw().items()) {
    std::string file = TESSERA_TRY(TESSERA_TRY(map.at(tensor)).as<std::string>());
    if (file.empty() || file.find('/') != std::string::npos || !file.ends_with(".safetensors"))
      return invalidArgument(index + ": " + model::quoted(file) +
                             " is not the name of a safetensors file in the folder");
    shards[file].insert(tensor);
  }
  return shards;
}

// What the tensors' views point into.
struct Owner {
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::deque<std::string> names;
};

Result<Tensors> readTensors(const std::string &folder, const Family &family, bool tied) {
  auto owner = std::make_shared<Owner>();
  std::vector<StoredTensor> tensors;
  std::set<std::string_view> seen;
  for (const auto &[file, listed] : TESSERA_TRY(findShards(folder))) {
    const std::string path = folder + "/" + file;
    Safetensors shard = TESSERA_TRY(Safetensors::open(path));
    owner->files.push_back(shard.file);
    std::set<std::string_view> held;
    for (SafetensorsEntry &tensor : shard.tensors) {
      held.insert(tensor.name);
      if (tensor.name.ends_with(".rotary_emb.inv_freq") || (tied && tensor.name == "lm_head.weight"))
        continue;
      std::string_view name = owner->names.emplace_back(canonicalName(tensor.name, family));
      if (!seen.insert(name).second)
        return invalidArgument(path + ": the tensor " + model::quoted(tensor.name) + " is there twice");
      tensors.push_back({name, tensor.type, tensor.shape, tensor.bytes});
    }
    for (const std::string &name : listed)
      if (!held.contains(name))
        return invalidArgument(path + ": the tensor " + model::quoted(name) +
                               " is missing, which the index places there");
  }
  return Tensors(folder, std::move(tensors), owner);
}

// Adds an end-of-sequence token or a list of them.
Status readEnds(const JsonValue &json, std::vector<int32_t> &ends) {
  if (!json.has("eos_token_id"))
    return {};
  JsonValue value = TESSERA_TRY(json.at("eos_token_id"));
  for (const JsonValue &id : value.isArray() ? TESSERA_TRY(value.elements()) : std::vector<JsonValue>{value}) {
    int64_t token = TESSERA_TRY(id.as<int64_t>());
    if (token < 0 || token > INT32_MAX)
      return invalidArgument(id.about("is " + std::to_string(token) + ", which is no token"));
    ends.push_back(int32_t(token));
  }
  return {};
}

} // namespace

Result<HuggingFace> HuggingFace::open(const std::string &folder) {
  if (!std::filesystem::exists(folder + "/config.json"))
    return invalidArgument(folder + ": is a folder without a config.json, so it holds no model");
  JsonValue json = TESSERA_TRY(JsonValue::open(folder + "/config.json"));
  std::filesystem::path path(folder);
  ModelConfig config =
      TESSERA_TRY(configFromJson(json, (path.has_filename() ? path : path.parent_path()).filename().string()));
  bool tied = TESSERA_TRY(json.getOr<bool>("tie_word_embeddings", false));
  Tensors tensors = TESSERA_TRY(readTensors(folder, *config.family, tied));
  TESSERA_TRY(completeConfig(tensors, config));
  int64_t vocab = TESSERA_TRY(json.getOr<int64_t>("vocab_size", config.vocab));
  if (vocab != config.vocab)
    return invalidArgument(folder + "/config.json: 'vocab_size' is " + std::to_string(vocab) +
                           " but the embedding has " + std::to_string(config.vocab) + " rows");
  HuggingFace out{std::move(config), std::move(tensors), {}};
  TESSERA_TRY(readEnds(json, out.ends));
  const std::string generation = folder + "/generation_config.json";
  if (std::filesystem::exists(generation))
    TESSERA_TRY(readEnds(TESSERA_TRY(JsonValue::open(generation)), out.ends));
  return out;
}

Result<std::string> chatTemplateOf(const std::string &folder) {
  const std::string config = folder + "/tokenizer_config.json", jinja = folder + "/chat_template.jinja";
  if (std::filesystem::exists(jinja)) {
    auto file = TESSERA_TRY(MappedFile::open(jinja));
    return std::string(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
  }
  return TESSERA_TRY(JsonValue::open(config)).get<std::string>("chat_template");
}

} // namespace tessera::model
