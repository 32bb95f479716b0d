// ModelFile: a model on disk, whatever kind of file holds it: its configuration, tensors, tokenizer and chat template.
#pragma once
#include "base/result.h"
#include "runtime/model/config.h"
#include "runtime/model/tensors.h"
#include "runtime/model/tokenizer.h"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tessera::model {

// Immutable, thread-safe and cheap to copy. Every error is one sentence that starts with a file's path.
class ModelFile {
public:
  // A GGUF file, or a folder as Hugging Face lays it out: config.json, model.safetensors (or the shards that
  // model.safetensors.index.json lists) and tokenizer.json. Maps and checks everything but the tokenizer.
  static Result<ModelFile> open(const std::string &path);

  const std::string &path() const { return tensors().path(); }
  const ModelConfig &config() const;
  const Tensors &tensors() const;

  // Reads the vocabulary, which takes longer than the rest.
  Result<Tokenizer> tokenizer() const;
  // The prompt text for one user message with the assistant's turn opened, for Tokenizer::encode with parseSpecial.
  Result<std::string> chatPrompt(std::string_view userMessage) const;

private:
  struct State;
  explicit ModelFile(std::shared_ptr<const State> state) : state(std::move(state)) {}
  std::shared_ptr<const State> state;
};

} // namespace tessera::model
