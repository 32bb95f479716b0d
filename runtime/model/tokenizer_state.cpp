#include "runtime/model/tokenizer_state.h"
#include "runtime/model/byte_alphabet.h"
#include <algorithm>

namespace tessera::model {

using State = Tokenizer::State;

// Files seldom name all tokens that end a turn, so those that the field knows by their spelling count too, and are
// control tokens whatever the file says. The last two rows end a fill-in-the-middle answer. Source: llama.cpp's
// llama-vocab.cpp.
constexpr std::string_view endSpellings[] = {
    "<|eot_id|>",   "<|im_end|>",    "<|end|>",       "<|return|>", "<|call|>", "<end_of_turn>",
    "</s>",         "<|endoftext|>", "<|eom_id|>",    "<EOT>",      "_<EOT>",   "<|end_of_text|>",
    "<|file_sep|>", "<|fim_repo|>",  "<|repo_name|>", "<fim-repo>", "<REPO>",   "<reponame>",
    "<|fim_pad|>",  "<fim-pad>",     "<fim_pad>",     "<PAD>",      "[PAD]",
};

void indexNames(State &state) {
  for (size_t i = 0; i < state.spellings.size(); ++i)
    if (!state.spellings[i].empty())
      state.byName[state.spellings[i]] = int32_t(i);
}

void indexSymbols(State &state) {
  ByteLevel &bytes = *state.byteLevel;
  for (size_t symbol = 0; symbol < bytes.merges.size(); ++symbol) {
    auto at = state.byName.find(spellBytes(bytes.merges.bytes(int32_t(symbol))));
    bytes.tokenOf.push_back(at == state.byName.end() ? -1 : at->second);
  }
}

static std::string byteSpelling(int byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[size_t(byte >> 4)], digits[size_t(byte & 15)], '>'};
}

void findByteTokens(State &state) {
  for (int byte = 0; byte < 256; ++byte) {
    auto at = state.byName.find(byteSpelling(byte));
    state.sentencePiece->bytes[size_t(byte)] = at == state.byName.end() ? -1 : at->second;
  }
}

static void sortSpecial(State &state) {
  for (size_t i = 0; i < state.types.size(); ++i) {
    bool isSpecial = state.types[i] == TokenType::control || state.types[i] == TokenType::userDefined ||
                     state.types[i] == TokenType::unknown;
    if (isSpecial && !state.spellings[i].empty())
      state.special.push_back(int32_t(i));
  }
  std::ranges::sort(state.special, [&](int32_t a, int32_t b) {
    size_t left = state.spellings[size_t(a)].size(), right = state.spellings[size_t(b)].size();
    return left != right ? left > right : a < b;
  });
}

// U+2581 is how SentencePiece writes a space.
static std::string unspellSpaces(std::string_view spelling) {
  constexpr std::string_view mark = "\u2581";
  std::string out;
  for (size_t at = 0; at < spelling.size();) {
    bool isSpace = spelling.substr(at, mark.size()) == mark;
    out += isSpace ? ' ' : spelling[at];
    at += isSpace ? mark.size() : 1;
  }
  return out;
}

static std::string pieceOf(const State &state, size_t token) {
  const std::string &spelling = state.spellings[token];
  switch (state.types[token]) {
  case TokenType::normal:
    return state.sentencePiece ? unspellSpaces(spelling) : unspellBytes(spelling).value_or(spelling);
  case TokenType::userDefined:
    return spelling;
  default:
    return {};
  }
}

void finishTokenizer(State &state) {
  for (std::string_view spelling : endSpellings)
    if (auto at = state.byName.find(spelling); at != state.byName.end()) {
      state.ends[size_t(at->second)] = true;
      state.types[size_t(at->second)] = TokenType::control;
    }
  sortSpecial(state);
  for (size_t i = 0; i < state.spellings.size(); ++i)
    state.pieces.push_back(pieceOf(state, i));
  if (state.sentencePiece)
    for (size_t byte = 0; byte < 256; ++byte)
      if (int32_t token = state.sentencePiece->bytes[byte]; token >= 0)
        state.pieces[size_t(token)] = std::string(1, char(byte));
}

} // namespace tessera::model
