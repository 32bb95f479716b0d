#include "runtime/model/model_file.h"
#include "runtime/model/chat.h"
#include <filesystem>

namespace tessera::model {

struct ModelFile::State {
  Gguf gguf;
  ModelConfig config;
  Tensors tensors;
};

Result<ModelFile> ModelFile::open(const std::string &path) {
  Gguf gguf = TESSERA_TRY(Gguf::open(path));
  ModelConfig config = TESSERA_TRY(modelConfig(gguf));
  return ModelFile(std::make_shared<State>(State{gguf, std::move(config), gguf.named()}));
}

const ModelConfig &ModelFile::config() const { return state->config; }
const Tensors &ModelFile::tensors() const { return state->tensors; }
Result<Tokenizer> ModelFile::tokenizer() const { return Tokenizer::fromGguf(state->gguf); }
Result<std::string> ModelFile::chatPrompt(std::string_view userMessage) const {
  return model::chatPrompt(state->gguf, userMessage);
}

} // namespace tessera::model
