// Chat prompts: one user message wrapped as the model's chat template asks.
#pragma once
#include "base/result.h"
#include "runtime/model/gguf.h"
#include <string>
#include <string_view>

namespace tessera::model {

// The prompt text for one user message with the assistant's turn opened, for Tokenizer::encode with parseSpecial.
// Templates are recognised by their markers, not run: ChatML, Llama 3, Gemma, Phi-3 and Mistral's [INST]. A system
// message is only there where a ChatML template spells its default out. Errors name the file.
Result<std::string> chatPrompt(const Gguf &file, std::string_view userMessage);
Result<std::string> chatPrompt(const std::string &path, std::string_view text, std::string_view userMessage);

} // namespace tessera::model
