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
} // namespace

Result<std::string> chatPrompt(const Gguf &file, std::string_view userMessage) {
  std::string_view text = TESSERA_TRY(file.get<std::string_view>("tokenizer.chat_template"));
  if (text.find(turn) == std::string_view::npos || text.find(end) == std::string_view::npos)
    return unsupported(file.about("the chat template " + quoted(text) + " is not supported; supported: ChatML"));
  std::string out;
  auto add = [&](std::string_view role, std::string_view message) {
    out.append(turn).append(role).append("\n").append(message).append(end).append("\n");
  };
  if (std::optional<std::string_view> system = defaultSystem(text))
    add("system", *system);
  add("user", userMessage);
  return out.append(turn).append("assistant\n");
}

} // namespace tessera::model
