#include "compiler/register_bound.h"
#include <charconv>

namespace tessera {

static constexpr std::string_view directive = "\n.maxnreg ";

namespace {
// Where an entry's parameters and directives stand, up to the line of its brace.
struct Head {
  size_t begin, end;
};
} // namespace

static std::optional<Head> headOf(std::string_view ptx, std::string_view entry) {
  size_t begin = ptx.find(".entry " + std::string(entry) + "(");
  size_t end = begin == ptx.npos ? ptx.npos : ptx.find("\n{", begin);
  return end == ptx.npos ? std::nullopt : std::optional(Head{begin, end});
}

std::optional<int64_t> registerBound(std::string_view ptx, std::string_view entry) {
  std::optional<Head> head = headOf(ptx, entry);
  if (!head)
    return std::nullopt;
  std::string_view body = ptx.substr(head->end);
  if (body.substr(0, body.find("\n}")).find("setmaxnreg") != body.npos)
    return std::nullopt;
  int64_t bound = 0;
  std::string_view text = ptx.substr(head->begin, head->end - head->begin);
  if (size_t at = text.find(directive); at != text.npos)
    std::from_chars(text.data() + at + directive.size(), text.data() + text.size(), bound);
  return bound;
}

void setRegisterBound(std::string &ptx, std::string_view entry, int64_t registers) {
  std::optional<Head> head = headOf(ptx, entry);
  if (!head)
    return;
  size_t at = ptx.find(directive, head->begin);
  size_t begin = at < head->end ? at : head->end;
  size_t end = at < head->end ? ptx.find('\n', at + 1) : head->end;
  ptx.replace(begin, end - begin, std::string(directive) + std::to_string(registers));
}

} // namespace tessera
