#include "runtime/model/chat.h"
#include "runtime/model/gguf_format.h"
#include <optional>

namespace tessera::model {

namespace {
constexpr std::string_view turn = "<|im_start|>", end = "<|im_end|>";

// A template that opens with a system turn of its own where the user gives none spells it out as a literal.
std::optional<std::string_view> defaultSystem(std::string_view text) {
  constexpr std::string_view open = "<|im_start|>system";
  size_t begin = text.find(open);
  if (begin == std::string_view::npos)
    return std::nullopt;
  std::string_view rest = text.substr(begin + open.size());
  // Some files hold the line break itself, some its escape.
  size_t lineBreak = rest.starts_with("\n") ? 1 : rest.starts_with("\\n") ? 2 : 0;
  if (lineBreak == 0)
    return std::nullopt;
  rest.remove_prefix(lineBreak);
  std::string_view message = rest.substr(0, rest.find(end));
  // Anything but a plain literal is not ours to evaluate.
  if (message.size() == rest.size() || message.find_first_of("'\"{}\\") != std::string_view::npos)
    return std::nullopt;
  return message;
}

// What stands around a user's message. Both markers must occur in the template.
struct ChatStyle {
  std::string_view marker, second;
  std::string_view before, after;
};
constexpr ChatStyle styles[] = {
    {turn, end, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"},
    {"<|start_header_id|>", "<|eot_id|>", "<|start_header_id|>user<|end_header_id|>\n\n",
     "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    {"<start_of_turn>", "<end_of_turn>", "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n"},
    {"<|assistant|>", "<|end|>", "<|user|>\n", "<|end|>\n<|assistant|>\n"},
    {"[INST]", "[/INST]", "[INST] ", " [/INST]"},
};
} // namespace

Result<std::string> chatPrompt(const std::string &path, std::string_view text, std::string_view userMessage) {
  for (const ChatStyle &style : styles) {
    if (text.find(style.marker) == std::string_view::npos || text.find(style.second) == std::string_view::npos)
      continue;
    std::string out;
    if (std::optional<std::string_view> system = defaultSystem(text); system && style.marker == turn)
      out.append(turn).append("system\n").append(*system).append(end).append("\n");
    return out.append(style.before).append(userMessage).append(style.after);
  }
  return unsupported(path + ": the chat template " + quoted(text) +
                     " is not supported; supported: ChatML, Llama 3, Gemma, Phi-3, Mistral");
}

Result<std::string> chatPrompt(const Gguf &file, std::string_view userMessage) {
  return chatPrompt(file.path(), TESSERA_TRY(file.get<std::string_view>("tokenizer.chat_template")), userMessage);
}

} // namespace tessera::model
