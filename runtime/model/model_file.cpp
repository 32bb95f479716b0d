#include "runtime/model/model_file.h"
#include "runtime/model/chat.h"
#include "runtime/model/hugging_face.h"
#include <filesystem>
#include <optional>

namespace tessera::model {

// One of the two.
struct ModelFile::State {
  std::optional<Gguf> gguf;
  std::optional<HuggingFace> folder;
  ModelConfig config;
  Tensors tensors;
};

Result<ModelFile> ModelFile::open(const std::string &path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    HuggingFace folder = TESSERA_TRY(HuggingFace::open(path));
    ModelConfig config = folder.config;
    Tensors tensors = folder.tensors;
    return ModelFile(std::make_shared<State>(State{{}, std::move(folder), std::move(config), std::move(tensors)}));
  }
  Gguf gguf = TESSERA_TRY(Gguf::open(path));
  ModelConfig config = TESSERA_TRY(modelConfig(gguf));
  return ModelFile(std::make_shared<State>(State{gguf, {}, std::move(config), gguf.named()}));
}

const ModelConfig &ModelFile::config() const { return state->config; }
const Tensors &ModelFile::tensors() const { return state->tensors; }

Result<Tokenizer> ModelFile::tokenizer() const {
  if (state->gguf)
    return Tokenizer::fromGguf(*state->gguf);
  return Tokenizer::fromJson(path(), state->folder->ends, state->config.vocab);
}

Result<std::string> ModelFile::chatPrompt(std::string_view userMessage) const {
  if (state->gguf)
    return model::chatPrompt(*state->gguf, userMessage);
  return model::chatPrompt(path(), TESSERA_TRY(chatTemplateOf(path())), userMessage);
}

} // namespace tessera::model
