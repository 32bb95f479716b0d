#include "runtime/model/pretokenizer.h"
#include <algorithm>
#include <pcre2.h>

namespace tessera::model {

namespace {
constexpr std::string_view numeral = R"(\p{N})";
constexpr std::string_view gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view llama3 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2 =
    R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view punctuation = R"([\p{P}\$\+<=>\^~\|]+)";

// Unicode's White_Space, as the inside of a class. PCRE2's own \s counts U+180E as well.
constexpr std::string_view spaces =
    R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

// Writes \s and \S out by `spaces`.
std::string withSpaces(std::string_view regex) {
  std::string out;
  bool inClass = false;
  for (size_t i = 0; i < regex.size(); ++i) {
    char c = regex[i];
    if (c != '\\') {
      inClass = c == '[' ? true : c == ']' ? false : inClass;
      out += c;
      continue;
    }
    char escaped = regex[++i];
    if (escaped == 's')
      out += inClass ? std::string(spaces) : "[" + std::string(spaces) + "]";
    else if (escaped == 'S')
      out += "[^" + std::string(spaces) + "]";
    else
      out += {c, escaped};
  }
  return out;
}

std::string pcreMessage(int code) {
  PCRE2_UCHAR text[128] = {};
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char *>(text);
}

constexpr uint32_t matchLimit = 10'000'000;

struct FreeContext {
  void operator()(pcre2_match_context *context) const { pcre2_match_context_free(context); }
};
struct FreeMatch {
  void operator()(pcre2_match_data *data) const { pcre2_match_data_free(data); }
};

// Surrogates are kept in the text but are no characters to PCRE2: a private-use character, which is as little a letter,
// numeral or space and as long in bytes, stands in for each.
std::string withoutSurrogates(std::string_view text) {
  std::string out(text);
  for (size_t i = 0; i + 1 < out.size(); ++i)
    if (out[i] == '\xED' && uint8_t(out[i + 1]) >= 0xA0) {
      out[i] = '\xEE';
      out[i + 1] = '\x80';
    }
  return out;
}
} // namespace

std::span<const PretokenizerFamily> pretokenizerFamilies() {
  static const std::vector<PretokenizerFamily> rows = {
      {{"default"}, {punctuation, gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}, false, false},
      {{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion"}, {gpt2}, false, false},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
       {numeral, gpt2},
       false,
       false},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"}, {llama3}, true, true},
      {{"smaug-bpe", "dbrx"}, {llama3}, false, false},
      {{"qwen2", "stablelm2", "deepseek-r1-qwen"}, {qwen2}, false, false},
  };
  return rows;
}

const PretokenizerFamily *pretokenizerFamily(std::string_view name) {
  for (const PretokenizerFamily &row : pretokenizerFamilies())
    if (std::ranges::find(row.names, name) != row.names.end())
      return &row;
  return nullptr;
}

Result<Pretokenizer> Pretokenizer::compile(std::span<const std::string_view> regexes) {
  Pretokenizer result;
  for (std::string_view regex : regexes) {
    std::string pattern = withSpaces(regex);
    int code = 0;
    PCRE2_SIZE where = 0;
    pcre2_code *compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                         PCRE2_UTF | PCRE2_UCP, &code, &where, nullptr);
    if (!compiled)
      return internalError("the pre-tokenizer's regex does not compile at " + std::to_string(where) + ": " +
                           pcreMessage(code));
    result.patterns.emplace_back(compiled, [](void *p) { pcre2_code_free(static_cast<pcre2_code *>(p)); });
  }
  return result;
}

Result<std::vector<std::string_view>> Pretokenizer::split(std::string_view text) const {
  std::string subject = withoutSurrogates(text);
  struct Piece {
    size_t begin, end;
  };
  std::vector<Piece> pieces, next;
  if (!text.empty())
    pieces.push_back({0, text.size()});
  // A file may bring a regex that backtracks for ever; the limit is reached within a second.
  std::unique_ptr<pcre2_match_context, FreeContext> context(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(context.get(), matchLimit);
  std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  const size_t *found = pcre2_get_ovector_pointer(match.get());
  for (const std::shared_ptr<void> &pattern : patterns) {
    next.clear();
    for (Piece piece : pieces) {
      // Each piece is a subject of its own, so that the end of a piece is an end to lookaheads too.
      auto start = reinterpret_cast<PCRE2_SPTR>(subject.data()) + piece.begin;
      size_t length = piece.end - piece.begin, at = 0;
      while (at < length) {
        int count = pcre2_match(static_cast<const pcre2_code *>(pattern.get()), start, length, at,
                                PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), context.get());
        if (count < 0 && count != PCRE2_ERROR_NOMATCH)
          return invalidArgument("the pre-tokenizer's regex cannot cut this text: " + pcreMessage(count));
        size_t from = count < 0 ? length : found[0], to = count < 0 ? length : found[1];
        if (from < at || to <= at) // \K inside a lookahead moves a match's begin
          return invalidArgument("the pre-tokenizer's regex matches backwards");
        if (from > at)
          next.push_back({piece.begin + at, piece.begin + from});
        if (to > from)
          next.push_back({piece.begin + from, piece.begin + to});
        at = to;
      }
    }
    pieces.swap(next);
  }
  std::vector<std::string_view> out;
  out.reserve(pieces.size());
  for (Piece piece : pieces)
    out.push_back(text.substr(piece.begin, piece.end - piece.begin));
  return out;
}

} // namespace tessera::model
