// HuggingFace: a folder with config.json, safetensors and tokenizer.json. Private to the model readers.
#pragma once
#include "base/result.h"
#include "runtime/model/config.h"
#include "runtime/model/json.h"
#include "runtime/model/tensors.h"
#include "runtime/model/tokenizer.h"
#include <string>

namespace tessera::model {

// The sizes and constants of config.json; `completeConfig` does the rest. `name`: of the folder.
Result<ModelConfig> configFromJson(const JsonValue &json, const std::string &name);

struct HuggingFace {
  ModelConfig config;
  Tensors tensors;           // under GGUF's names
  std::vector<int32_t> ends; // end-of-sequence tokens that config.json and generation_config.json name

  static Result<HuggingFace> open(const std::string &folder);
};

// tokenizer.json, and tokenizer_config.json where it is there. `ends`: further tokens that end a text; those outside
// the vocabulary are ignored. `limit`: token ids lie below it.
Result<std::shared_ptr<const Tokenizer::State>> readTokenizerJson(const std::string &folder,
                                                                  std::span<const int32_t> ends, int64_t limit);
// The chat template of tokenizer_config.json or chat_template.jinja.
Result<std::string> chatTemplateOf(const std::string &folder);

} // namespace tessera::model
