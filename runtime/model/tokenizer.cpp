#include "runtime/model/tokenizer.h"
#include "runtime/model/byte_alphabet.h"
#include "runtime/model/tokenizer_state.h"
#include "runtime/model/utf8.h"

namespace tessera::model {

namespace {
using State = Tokenizer::State;

// A stretch of the prompt: plain text, or (token >= 0) a special token found in it.
struct Fragment {
  std::string_view text;
  int32_t token = -1;
};

void appendCut(const Fragment &fragment, std::string_view spelling, int32_t token, std::vector<Fragment> &out) {
  std::string_view rest = fragment.text;
  for (size_t at; (at = rest.find(spelling)) != std::string_view::npos; rest.remove_prefix(at + spelling.size())) {
    if (at > 0)
      out.push_back({rest.substr(0, at)});
    out.push_back({rest.substr(at, spelling.size()), token});
  }
  if (!rest.empty())
    out.push_back({rest});
}

// Longer spellings take their places first, so that no token is found inside another.
std::vector<Fragment> cutAtSpecial(const State &state, std::string_view text, bool parseSpecial) {
  std::vector<Fragment> fragments = {{text}}, next;
  for (int32_t token : state.special) {
    if (!parseSpecial && state.types[token] != TokenType::userDefined)
      continue;
    std::string_view spelling = state.spellings[token];
    if (text.find(spelling) == std::string_view::npos)
      continue;
    next.clear();
    for (const Fragment &fragment : fragments) {
      if (fragment.token >= 0)
        next.push_back(fragment);
      else
        appendCut(fragment, spelling, token, next);
    }
    fragments.swap(next);
  }
  return fragments;
}

void appendWord(const State &state, std::string_view word, std::vector<int32_t> &symbols,
                std::vector<int32_t> &tokens) {
  if (state.ignoreMerges) {
    if (auto at = state.byName.find(spellBytes(word)); at != state.byName.end()) {
      tokens.push_back(at->second);
      return;
    }
  }
  symbols.clear();
  state.merges.merge(word, symbols);
  for (int32_t symbol : symbols) {
    if (state.tokenOf[symbol] >= 0) {
      tokens.push_back(state.tokenOf[symbol]);
      continue;
    }
    // Some vocabularies lack bytes that never occurred in their training text. As in llama.cpp, those are left out.
    for (char byte : state.merges.bytes(symbol))
      if (int32_t token = state.tokenOf[uint8_t(byte)]; token >= 0)
        tokens.push_back(token);
  }
}
} // namespace

Result<Tokenizer> Tokenizer::fromGguf(const Gguf &file) { return Tokenizer(TESSERA_TRY(readTokenizer(file))); }

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() >= size_t(1) << 31)
    return invalidArgument("the text to encode is over 2 GiB");
  std::vector<int32_t> tokens, symbols;
  if (options.addBos && state->bos)
    tokens.push_back(*state->bos);
  for (const Fragment &fragment : cutAtSpecial(*state, text, options.parseSpecial)) {
    if (fragment.token >= 0) {
      tokens.push_back(fragment.token);
      continue;
    }
    std::string repaired = repairUtf8(fragment.text);
    std::vector<std::string_view> words = TESSERA_TRY(state->pretokenizer.split(repaired));
    for (std::string_view word : words)
      appendWord(*state, word, symbols, tokens);
  }
  return tokens;
}

std::string_view Tokenizer::piece(int32_t token) const {
  return token >= 0 && token < size() ? state->pieces[token] : std::string_view();
}

std::string Tokenizer::decode(std::span<const int32_t> tokens) const {
  std::string out;
  for (int32_t token : tokens)
    out += piece(token);
  return out;
}

std::string_view Tokenizer::spelling(int32_t token) const {
  return token >= 0 && token < size() ? state->spellings[token] : std::string_view();
}

std::optional<int32_t> Tokenizer::find(std::string_view spelling) const {
  auto at = state->byName.find(spelling);
  return at == state->byName.end() ? std::nullopt : std::optional<int32_t>(at->second);
}

int64_t Tokenizer::size() const { return int64_t(state->spellings.size()); }
std::optional<int32_t> Tokenizer::bos() const { return state->bos; }
bool Tokenizer::isEnd(int32_t token) const { return token >= 0 && token < size() && state->ends[token]; }

} // namespace tessera::model
