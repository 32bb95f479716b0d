#include "runtime/model/tokenizer.h"
#include "runtime/model/byte_alphabet.h"
#include "runtime/model/hugging_face.h"
#include "runtime/model/tokenizer_state.h"
#include "runtime/model/utf8.h"
#include <algorithm>

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

void appendWord(const ByteLevel &bytes, const TokenIndex &byName, std::string_view word, std::vector<int32_t> &symbols,
                std::vector<int32_t> &tokens) {
  if (bytes.ignoreMerges) {
    if (auto at = byName.find(spellBytes(word)); at != byName.end()) {
      tokens.push_back(at->second);
      return;
    }
  }
  symbols.clear();
  bytes.merges.merge(word, symbols);
  for (int32_t symbol : symbols) {
    if (bytes.tokenOf[size_t(symbol)] >= 0) {
      tokens.push_back(bytes.tokenOf[size_t(symbol)]);
      continue;
    }
    // Some vocabularies lack bytes that never occurred in their training text. As in llama.cpp, those are left out.
    for (char byte : bytes.merges.bytes(symbol))
      if (int32_t token = bytes.tokenOf[uint8_t(byte)]; token >= 0)
        tokens.push_back(token);
  }
}

Status appendBytes(const State &state, std::string_view text, std::vector<int32_t> &tokens) {
  std::vector<int32_t> symbols;
  std::string repaired = repairUtf8(text);
  std::vector<std::string_view> words = TESSERA_TRY(state.byteLevel->pretokenizer.split(repaired));
  for (std::string_view word : words)
    appendWord(*state.byteLevel, state.byName, word, symbols, tokens);
  return {};
}

constexpr std::string_view spaceMark = "\u2581";

std::string markSpaces(std::string_view text) {
  std::string out;
  for (char c : text)
    c == ' ' ? out.append(spaceMark) : out.append(1, c);
  return out;
}

void appendPieces(const State &state, std::string_view text, std::vector<int32_t> &tokens) {
  const SentencePiece &rules = *state.sentencePiece;
  bool isUnknown = false; // the token before, where runs of them are one
  for (const Piece &piece : rules.merges.merge(text, state.byName)) {
    bool hasBytes = std::ranges::all_of(piece.text, [&](char c) { return rules.bytes[uint8_t(c)] >= 0; });
    if (piece.token >= 0) {
      tokens.push_back(piece.token);
    } else if (hasBytes) {
      for (char byte : piece.text)
        tokens.push_back(rules.bytes[uint8_t(byte)]);
    } else if (rules.unknown && !(isUnknown && rules.fuseUnknown)) {
      tokens.push_back(*rules.unknown);
    }
    isUnknown = piece.token < 0 && !hasBytes;
  }
}

// `prefix`: the text gains a leading space.
void appendSentence(const State &state, std::string_view text, bool prefix, std::vector<int32_t> &tokens) {
  std::string marked = markSpaces(prefix ? " " + std::string(text) : std::string(text));
  std::string_view rest = marked;
  while (!rest.empty()) {
    // A word begins with its mark.
    size_t end = state.sentencePiece->splitAtSpaces ? rest.find(spaceMark, 1) : std::string_view::npos;
    appendPieces(state, rest.substr(0, end), tokens);
    rest.remove_prefix(std::min(rest.size(), end));
  }
}

bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// White space that the special tokens around a text take.
void strip(const State &state, std::span<Fragment> fragments) {
  auto strips = [&](const Fragment &fragment, Strip side) {
    return fragment.token >= 0 && (state.strips[size_t(fragment.token)] & side);
  };
  for (size_t i = 0; i < fragments.size(); ++i) {
    std::string_view &text = fragments[i].text;
    if (fragments[i].token >= 0)
      continue;
    if (i > 0 && strips(fragments[i - 1], stripRight))
      while (!text.empty() && isSpace(text.front()))
        text.remove_prefix(1);
    if (i + 1 < fragments.size() && strips(fragments[i + 1], stripLeft))
      while (!text.empty() && isSpace(text.back()))
        text.remove_suffix(1);
  }
}
} // namespace

Result<Tokenizer> Tokenizer::fromJson(const std::string &folder, std::span<const int32_t> ends, int64_t limit) {
  return Tokenizer(TESSERA_TRY(readTokenizerJson(folder, ends, limit)));
}

Result<Tokenizer> Tokenizer::fromGguf(const Gguf &file) { return Tokenizer(TESSERA_TRY(readTokenizer(file))); }

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() >= size_t(1) << 31)
    return invalidArgument("the text to encode is over 2 GiB");
  std::vector<int32_t> tokens;
  if (options.addBos && state->bos)
    tokens.push_back(*state->bos);
  std::vector<Fragment> fragments = cutAtSpecial(*state, text, options.parseSpecial);
  if (!state->strips.empty())
    strip(*state, fragments);
  bool afterSpecial = true;
  for (const Fragment &fragment : fragments) {
    if (fragment.token >= 0) {
      tokens.push_back(fragment.token);
      afterSpecial = true;
      continue;
    }
    if (fragment.text.empty())
      continue;
    if (state->byteLevel) {
      TESSERA_TRY(appendBytes(*state, fragment.text, tokens));
      continue;
    }
    Prefix prefix = state->sentencePiece->prefix;
    bool isFirst = &fragment == fragments.data();
    bool gainsSpace = (prefix == Prefix::always && afterSpecial) || (prefix == Prefix::first && isFirst);
    if (state->sentencePiece->prefixUnlessSpaced &&
        (fragment.text.starts_with(' ') || fragment.text.starts_with(spaceMark)))
      gainsSpace = false;
    appendSentence(*state, fragment.text, gainsSpace, tokens);
    afterSpecial = false;
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
