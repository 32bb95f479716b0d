#include "runtime/model/byte_alphabet.h"
#include "runtime/model/gguf_format.h"
#include "runtime/model/tokenizer_state.h"
#include <algorithm>
#include <limits>

namespace tessera::model {

namespace {
using State = Tokenizer::State;

Status readVocabulary(const Gguf &file, State &state) {
  auto tokens = TESSERA_TRY(file.get<std::vector<std::string_view>>("tokenizer.ggml.tokens"));
  if (tokens.empty() || tokens.size() > size_t(std::numeric_limits<int32_t>::max()))
    return invalidArgument(file.about("the vocabulary has " + std::to_string(tokens.size()) + " tokens"));
  auto types = TESSERA_TRY(
      file.getOr<std::vector<int64_t>>("tokenizer.ggml.token_type", std::vector<int64_t>(tokens.size(), 1)));
  if (types.size() != tokens.size())
    return invalidArgument(file.about("the vocabulary has " + std::to_string(tokens.size()) + " tokens but " +
                                      std::to_string(types.size()) + " token types"));
  state.spellings.assign(tokens.begin(), tokens.end());
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] < 0 || types[i] > int64_t(TokenType::byte))
      return invalidArgument(
          file.about("token " + std::to_string(i) + " has the unknown type " + std::to_string(types[i])));
    state.types.push_back(TokenType(types[i]));
    state.byName[state.spellings[i]] = int32_t(i);
  }
  return {};
}

Status readMerges(const Gguf &file, State &state) {
  auto merges = TESSERA_TRY(file.get<std::vector<std::string_view>>("tokenizer.ggml.merges"));
  for (size_t i = 0; i < merges.size(); ++i)
    if (!state.merges.add(merges[i]))
      return invalidArgument(file.about("merge " + std::to_string(i) + " of the tokenizer, " + quoted(merges[i]) +
                                        ", is not two symbols with a space between"));
  for (size_t symbol = 0; symbol < state.merges.size(); ++symbol) {
    auto at = state.byName.find(spellBytes(state.merges.bytes(int32_t(symbol))));
    state.tokenOf.push_back(at == state.byName.end() ? -1 : at->second);
  }
  return {};
}

// A token id in the metadata; empty where the key is absent.
Result<std::optional<int32_t>> tokenId(const Gguf &file, const State &state, std::string_view name) {
  std::string key = "tokenizer.ggml." + std::string(name) + "_token_id";
  if (!file.has(key))
    return std::optional<int32_t>();
  int64_t id = TESSERA_TRY(file.get<int64_t>(key));
  if (id < 0 || size_t(id) >= state.spellings.size())
    return invalidArgument(file.about("the metadata key '" + key + "' is " + std::to_string(id) +
                                      ", outside the vocabulary of " + std::to_string(state.spellings.size())));
  return std::optional<int32_t>(int32_t(id));
}

// Files seldom name all tokens that end a turn, so those that the field knows by their spelling count too. The last two
// rows end a fill-in-the-middle answer. Source: llama.cpp's llama-vocab.cpp.
constexpr std::string_view endSpellings[] = {
    "<|eot_id|>",    "<|im_end|>",    "<|end|>",    "<|return|>", "<|call|>",        "<end_of_turn>",
    "<|endoftext|>", "<|eom_id|>",    "<EOT>",      "_<EOT>",     "<|end_of_text|>", "<|file_sep|>",
    "<|fim_repo|>",  "<|repo_name|>", "<fim-repo>", "<REPO>",     "<reponame>",      "<|fim_pad|>",
    "<fim-pad>",     "<fim_pad>",     "<PAD>",      "[PAD]",
};

Status readEnds(const Gguf &file, State &state) {
  state.ends.assign(state.spellings.size(), false);
  for (std::string_view name : {"eos", "eot", "eom"})
    if (std::optional<int32_t> id = TESSERA_TRY(tokenId(file, state, name)))
      state.ends[size_t(*id)] = true;
  for (std::string_view spelling : endSpellings)
    if (auto at = state.byName.find(spelling); at != state.byName.end())
      state.ends[size_t(at->second)] = true;
  return {};
}

void sortSpecial(State &state) {
  for (size_t i = 0; i < state.types.size(); ++i) {
    bool isSpecial = state.types[i] == TokenType::control || state.types[i] == TokenType::userDefined ||
                     state.types[i] == TokenType::unknown;
    if (isSpecial && !state.spellings[i].empty())
      state.special.push_back(int32_t(i));
  }
  std::ranges::sort(state.special, [&](int32_t a, int32_t b) {
    size_t left = state.spellings[a].size(), right = state.spellings[b].size();
    return left != right ? left > right : a < b;
  });
}

void spellPieces(State &state) {
  for (size_t i = 0; i < state.spellings.size(); ++i) {
    switch (state.types[i]) {
    case TokenType::normal:
      state.pieces.push_back(unspellBytes(state.spellings[i]).value_or(state.spellings[i]));
      break;
    case TokenType::userDefined:
      state.pieces.push_back(state.spellings[i]);
      break;
    default:
      state.pieces.emplace_back();
    }
  }
}
} // namespace

Result<std::shared_ptr<const Tokenizer::State>> readTokenizer(const Gguf &file) {
  auto state = std::make_shared<State>();
  std::string_view model = TESSERA_TRY(file.get<std::string_view>("tokenizer.ggml.model"));
  if (model != "gpt2")
    return unsupported(file.about("the tokenizer model " + quoted(model) + " is not supported; supported: gpt2"));
  std::string_view pre = TESSERA_TRY(file.getOr<std::string_view>("tokenizer.ggml.pre", "default"));
  const PretokenizerFamily *family = pretokenizerFamily(pre);
  if (!family)
    return unsupported(file.about("the pre-tokenizer " + quoted(pre) + " is not supported"));
  state->pretokenizer = TESSERA_TRY(Pretokenizer::compile(*family));
  state->ignoreMerges = family->ignoreMerges;
  TESSERA_TRY(readVocabulary(file, *state));
  TESSERA_TRY(readMerges(file, *state));
  TESSERA_TRY(readEnds(file, *state));
  std::optional<int32_t> bos = TESSERA_TRY(tokenId(file, *state, "bos"));
  if (TESSERA_TRY(file.getOr<bool>("tokenizer.ggml.add_bos_token", family->addBos)))
    state->bos = bos;
  sortSpecial(*state);
  spellPieces(*state);
  return std::shared_ptr<const Tokenizer::State>(std::move(state));
}

} // namespace tessera::model
