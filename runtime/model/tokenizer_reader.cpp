#include "runtime/model/gguf_format.h"
#include "runtime/model/tokenizer_state.h"
#include <cmath>
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
  }
  indexNames(state);
  return {};
}

Status readMerges(const Gguf &file, State &state) {
  auto merges = TESSERA_TRY(file.get<std::vector<std::string_view>>("tokenizer.ggml.merges"));
  for (size_t i = 0; i < merges.size(); ++i)
    if (!state.byteLevel->merges.add(merges[i]))
      return invalidArgument(file.about("merge " + std::to_string(i) + " of the tokenizer, " + quoted(merges[i]) +
                                        ", is not two symbols with a space between"));
  indexSymbols(state);
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

Status readEnds(const Gguf &file, State &state) {
  state.ends.assign(state.spellings.size(), false);
  for (std::string_view name : {"eos", "eot", "eom"})
    if (std::optional<int32_t> id = TESSERA_TRY(tokenId(file, state, name)))
      state.ends[size_t(*id)] = true;
  return {};
}

Status readByteLevel(const Gguf &file, State &state) {
  std::string_view pre = TESSERA_TRY(file.getOr<std::string_view>("tokenizer.ggml.pre", "default"));
  const PretokenizerFamily *family = pretokenizerFamily(pre);
  if (!family)
    return unsupported(file.about("the pre-tokenizer " + quoted(pre) + " is not supported"));
  state.byteLevel = ByteLevel{TESSERA_TRY(Pretokenizer::compile(family->regexes)), {}, family->ignoreMerges, {}};
  TESSERA_TRY(readVocabulary(file, state));
  TESSERA_TRY(readMerges(file, state));
  std::optional<int32_t> bos = TESSERA_TRY(tokenId(file, state, "bos"));
  if (TESSERA_TRY(file.getOr<bool>("tokenizer.ggml.add_bos_token", family->addBos)))
    state.bos = bos;
  return {};
}

Status readSentencePiece(const Gguf &file, State &state) {
  SentencePiece &pieces = state.sentencePiece.emplace();
  TESSERA_TRY(readVocabulary(file, state));
  auto scores = TESSERA_TRY(file.get<std::vector<double>>("tokenizer.ggml.scores"));
  if (scores.size() != state.spellings.size())
    return invalidArgument(file.about("the vocabulary has " + std::to_string(state.spellings.size()) + " tokens but " +
                                      std::to_string(scores.size()) + " scores"));
  for (double score : scores)
    if (std::isnan(score))
      return invalidArgument(file.about("the metadata key 'tokenizer.ggml.scores' holds a score that is no number"));
  pieces.merges.useScores({scores.begin(), scores.end()});
  bool prefix = TESSERA_TRY(file.getOr<bool>("tokenizer.ggml.add_space_prefix", true));
  pieces.prefix = prefix ? Prefix::always : Prefix::never;
  findByteTokens(state);
  pieces.unknown = TESSERA_TRY(tokenId(file, state, "unknown"));
  std::optional<int32_t> bos = TESSERA_TRY(tokenId(file, state, "bos"));
  if (TESSERA_TRY(file.getOr<bool>("tokenizer.ggml.add_bos_token", true)))
    state.bos = bos;
  return {};
}

// Phi-3's special tokens swallow the white space behind them, which no key of the file says (llama.cpp's
// llama-vocab.cpp).
Status readStrips(const Gguf &file, State &state) {
  std::string_view architecture = TESSERA_TRY(file.getOr<std::string_view>("general.architecture", ""));
  if (architecture != "phi3" || !state.sentencePiece)
    return {};
  state.strips.assign(state.spellings.size(), stripNone);
  for (size_t i = 0; i < state.types.size(); ++i)
    if (state.types[i] == TokenType::control || state.types[i] == TokenType::userDefined)
      state.strips[i] = stripRight;
  for (std::string_view plain : {"<unk>", "<s>", "<|endoftext|>"})
    if (auto at = state.byName.find(plain); at != state.byName.end())
      state.strips[size_t(at->second)] = stripNone;
  return {};
}
} // namespace

Result<std::shared_ptr<const Tokenizer::State>> readTokenizer(const Gguf &file) {
  auto state = std::make_shared<State>();
  std::string_view model = TESSERA_TRY(file.get<std::string_view>("tokenizer.ggml.model"));
  if (model == "gpt2")
    TESSERA_TRY(readByteLevel(file, *state));
  else if (model == "llama")
    TESSERA_TRY(readSentencePiece(file, *state));
  else
    return unsupported(
        file.about("the tokenizer model " + quoted(model) + " is not supported; supported: gpt2, llama"));
  TESSERA_TRY(readEnds(file, *state));
  TESSERA_TRY(readStrips(file, *state));
  finishTokenizer(*state);
  return std::shared_ptr<const Tokenizer::State>(std::move(state));
}

} // namespace tessera::model
