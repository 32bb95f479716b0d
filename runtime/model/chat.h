// Chat prompts: one user message wrapped as the model's chat template asks.
#pragma once
#include "base/result.h"
#include "runtime/model/gguf.h"
#include <string>
#include <string_view>

namespace tessera::model {

// The prompt text for one user message with the assistant's turn opened, for Tokenizer::encode with parseSpecial.
// Only ChatML templates are known; the default system message is the template's own. Errors name the file.
Result<std::string> chatPrompt(const Gguf &file, std::string_view userMessage);

} // namespace tessera::model
