#include "runtime/model/gguf_format.h"
#include "runtime/model/hugging_face.h"
#include "runtime/model/tokenizer_state.h"
#include <algorithm>
#include <filesystem>

namespace tessera::model {

namespace {
using State = Tokenizer::State;

constexpr std::string_view spaceMark = "\u2581";
constexpr size_t regexLimit = 4096;

// The stages of the file that change how text is cut.
struct Stages {
  std::vector<std::string> regexes;
  bool byteLevel = false, marksSpaces = false;
  SentencePiece pieces; // its prefix and split
};

Error refused(const JsonValue &stage, std::string_view what) {
  return unsupported(stage.about("is a tokenizer stage that is not supported: " + std::string(what)));
}

// A stage, or those of a Sequence; none where the key is absent or null.
Result<std::vector<JsonValue>> stagesOf(const JsonValue &json, std::string_view key, std::string_view list) {
  if (!json.has(key))
    return std::vector<JsonValue>();
  JsonValue stage = TESSERA_TRY(json.at(key));
  if (TESSERA_TRY(stage.get<std::string>("type")) == "Sequence")
    return TESSERA_TRY(stage.at(list)).elements();
  return std::vector<JsonValue>{stage};
}

Status readNormalizer(const JsonValue &stage, Stages &stages) {
  std::string type = TESSERA_TRY(stage.get<std::string>("type"));
  if (type == "Prepend" && TESSERA_TRY(stage.get<std::string>("prepend")) == spaceMark) {
    stages.pieces.prefix = Prefix::always;
    return {};
  }
  if (type == "Replace") {
    std::string from = TESSERA_TRY(TESSERA_TRY(stage.at("pattern")).getOr<std::string>("String", ""));
    if (from == " " && TESSERA_TRY(stage.get<std::string>("content")) == spaceMark) {
      stages.marksSpaces = true;
      return {};
    }
  }
  // Composed characters: almost all text is already so, and llama.cpp composes none either.
  if (type == "NFC")
    return {};
  return refused(stage, model::quoted(type));
}

Status readSplit(const JsonValue &stage, Stages &stages) {
  JsonValue pattern = TESSERA_TRY(stage.at("pattern"));
  std::string behavior = TESSERA_TRY(stage.get<std::string>("behavior"));
  // Gemma's: there are no spaces left to split at.
  if (pattern.has("String") && TESSERA_TRY(pattern.get<std::string>("String")) == " " && stages.marksSpaces)
    return {};
  if (!pattern.has("Regex") || behavior != "Isolated" || TESSERA_TRY(stage.getOr<bool>("invert", false)))
    return refused(stage, "a split of this kind");
  std::string regex = TESSERA_TRY(pattern.get<std::string>("Regex"));
  if (regex.size() > regexLimit)
    return invalidArgument(pattern.about("is longer than " + std::to_string(regexLimit) + " bytes"));
  stages.regexes.push_back(std::move(regex));
  return {};
}

Status readMetaspace(const JsonValue &stage, Stages &stages) {
  if (TESSERA_TRY(stage.getOr<std::string>("replacement", std::string(spaceMark))) != spaceMark)
    return refused(stage, "another replacement of spaces");
  bool adds = TESSERA_TRY(stage.getOr<bool>("add_prefix_space", true));
  std::string scheme = TESSERA_TRY(stage.getOr<std::string>("prepend_scheme", adds ? "always" : "never"));
  if (scheme != "always" && scheme != "first" && scheme != "never")
    return refused(stage, model::quoted(scheme));
  stages.pieces.prefix = scheme == "always" ? Prefix::always : scheme == "first" ? Prefix::first : Prefix::never;
  stages.pieces.prefixUnlessSpaced = true;
  stages.pieces.splitAtSpaces = TESSERA_TRY(stage.getOr<bool>("split", true));
  stages.marksSpaces = true;
  return {};
}

Status readPreTokenizer(const JsonValue &stage, Stages &stages) {
  std::string type = TESSERA_TRY(stage.get<std::string>("type"));
  if (type == "Split")
    return readSplit(stage, stages);
  if (type == "Metaspace")
    return readMetaspace(stage, stages);
  if (type == "Digits") {
    bool alone = TESSERA_TRY(stage.getOr<bool>("individual_digits", false));
    stages.regexes.push_back(alone ? R"(\p{N})" : R"(\p{N}+)");
    return {};
  }
  if (type != "ByteLevel")
    return refused(stage, model::quoted(type));
  if (TESSERA_TRY(stage.getOr<bool>("add_prefix_space", false)))
    return refused(stage, "a leading space before bytes");
  if (TESSERA_TRY(stage.getOr<bool>("use_regex", true)))
    stages.regexes.emplace_back(pretokenizerFamily("gpt-2")->regexes.front());
  stages.byteLevel = true;
  return {};
}

Result<Stages> readStages(const JsonValue &json) {
  Stages stages;
  stages.pieces.prefix = Prefix::never;
  for (const JsonValue &stage : TESSERA_TRY(stagesOf(json, "normalizer", "normalizers")))
    TESSERA_TRY(readNormalizer(stage, stages));
  for (const JsonValue &stage : TESSERA_TRY(stagesOf(json, "pre_tokenizer", "pretokenizers")))
    TESSERA_TRY(readPreTokenizer(stage, stages));
  if (stages.byteLevel == stages.marksSpaces)
    return unsupported(json.about("marks its spaces neither as bytes nor as U+2581, which is not supported"));
  return stages;
}

// ---- vocabulary ----

Status setSpelling(const JsonValue &where, State &state, int64_t id, const std::string &spelling, TokenType type) {
  if (state.types[size_t(id)] != TokenType::unused && state.spellings[size_t(id)] != spelling)
    return invalidArgument(where.about("gives token " + std::to_string(id) + " two spellings"));
  state.spellings[size_t(id)] = spelling;
  state.types[size_t(id)] = type;
  return {};
}

Result<int64_t> tokenId(const JsonValue &value, const State &state) {
  int64_t id = TESSERA_TRY(value.as<int64_t>());
  if (id < 0 || size_t(id) >= state.spellings.size())
    return invalidArgument(value.about("is " + std::to_string(id) + ", outside the model's " +
                                       std::to_string(state.spellings.size()) + " tokens"));
  return id;
}

Status readVocabulary(const JsonValue &json, const JsonValue &model, State &state) {
  JsonValue vocabulary = TESSERA_TRY(model.at("vocab"));
  if (!vocabulary.isObject())
    return invalidArgument(vocabulary.about("is not an object"));
  for (const auto &[spelling, value] : vocabulary.raw().items()) {
    int64_t id = TESSERA_TRY(tokenId(TESSERA_TRY(vocabulary.at(spelling)), state));
    TESSERA_TRY(setSpelling(vocabulary, state, id, spelling, TokenType::normal));
  }
  if (!json.has("added_tokens"))
    return {};
  for (const JsonValue &token : TESSERA_TRY(TESSERA_TRY(json.at("added_tokens")).elements())) {
    int64_t id = TESSERA_TRY(tokenId(TESSERA_TRY(token.at("id")), state));
    bool special = TESSERA_TRY(token.getOr<bool>("special", false));
    TESSERA_TRY(setSpelling(token, state, id, TESSERA_TRY(token.get<std::string>("content")),
                            special ? TokenType::control : TokenType::userDefined));
    state.strips[size_t(id)] = uint8_t((TESSERA_TRY(token.getOr<bool>("lstrip", false)) ? stripLeft : stripNone) |
                                       (TESSERA_TRY(token.getOr<bool>("rstrip", false)) ? stripRight : stripNone));
  }
  return {};
}

// The two halves of a merge: "a b", or a list of two.
Result<std::pair<std::string, std::string>> halves(const JsonValue &merge) {
  if (merge.isString()) {
    std::string text = TESSERA_TRY(merge.as<std::string>());
    size_t space = text.find(' ');
    if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos)
      return std::pair(text.substr(0, space), text.substr(space + 1));
  } else if (merge.isArray() && merge.raw().size() == 2) {
    std::vector<JsonValue> both = TESSERA_TRY(merge.elements());
    return std::pair(TESSERA_TRY(both[0].as<std::string>()), TESSERA_TRY(both[1].as<std::string>()));
  }
  return invalidArgument(merge.about("is not two symbols"));
}

Status readMerges(const JsonValue &model, State &state) {
  JsonValue list = TESSERA_TRY(model.at("merges"));
  for (const JsonValue &merge : TESSERA_TRY(list.elements())) {
    auto [left, right] = TESSERA_TRY(halves(merge));
    if (state.byteLevel) {
      if (!state.byteLevel->merges.add(left + " " + right))
        return invalidArgument(merge.about("is not two symbols"));
      continue;
    }
    auto a = state.byName.find(left), b = state.byName.find(right), both = state.byName.find(left + right);
    if (a == state.byName.end() || b == state.byName.end() || both == state.byName.end())
      return invalidArgument(merge.about("joins symbols that are not in the vocabulary"));
    state.sentencePiece->merges.addMerge(a->second, b->second, both->second);
  }
  return {};
}

Status checkModel(const JsonValue &model) {
  std::string type = TESSERA_TRY(model.getOr<std::string>("type", "BPE"));
  if (type != "BPE")
    return unsupported(
        model.about("is of the type " + model::quoted(type) + ", which is not supported; supported: BPE"));
  for (std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!TESSERA_TRY(model.getOr<std::string>(key, "")).empty())
      return unsupported(model.about("has a '" + std::string(key) + "', which is not supported"));
  return {};
}

Status readByteLevel(const JsonValue &json, const JsonValue &model, const Stages &stages, State &state) {
  std::vector<std::string_view> regexes(stages.regexes.begin(), stages.regexes.end());
  Result<Pretokenizer> compiled = Pretokenizer::compile(regexes);
  if (!compiled)
    return invalidArgument(json.about("has a regex that cannot be used: " + compiled.error().message));
  state.byteLevel = ByteLevel{std::move(*compiled), {}, TESSERA_TRY(model.getOr<bool>("ignore_merges", false)), {}};
  TESSERA_TRY(readMerges(model, state));
  indexSymbols(state);
  return {};
}

Status readSentencePiece(const JsonValue &model, const Stages &stages, State &state) {
  SentencePiece &pieces = state.sentencePiece.emplace(stages.pieces);
  if (TESSERA_TRY(model.getOr<bool>("byte_fallback", false)))
    findByteTokens(state);
  else
    pieces.bytes.fill(-1);
  std::string unknown = TESSERA_TRY(model.getOr<std::string>("unk_token", ""));
  if (auto at = state.byName.find(unknown); !unknown.empty() && at != state.byName.end())
    pieces.unknown = at->second;
  pieces.fuseUnknown = TESSERA_TRY(model.getOr<bool>("fuse_unk", false));
  return readMerges(model, state);
}

// ---- what goes around a text ----

// The token that the post-processor's template begins with.
Result<std::optional<int32_t>> templateBos(const JsonValue &json, const State &state) {
  for (const JsonValue &stage : TESSERA_TRY(stagesOf(json, "post_processor", "processors"))) {
    if (TESSERA_TRY(stage.get<std::string>("type")) != "TemplateProcessing")
      continue;
    std::vector<JsonValue> parts = TESSERA_TRY(TESSERA_TRY(stage.at("single")).elements());
    if (parts.empty() || !parts.front().has("SpecialToken"))
      continue;
    std::string name = TESSERA_TRY(TESSERA_TRY(parts.front().at("SpecialToken")).get<std::string>("id"));
    auto at = state.byName.find(name);
    if (at == state.byName.end())
      return invalidArgument(stage.about("begins with " + model::quoted(name) + ", which is not in the vocabulary"));
    return std::optional<int32_t>(at->second);
  }
  return std::optional<int32_t>();
}

// A token of tokenizer_config.json: its spelling, or an object that holds it.
Result<std::optional<int32_t>> namedToken(const JsonValue &config, std::string_view key, const State &state) {
  if (!config.has(key))
    return std::optional<int32_t>();
  JsonValue value = TESSERA_TRY(config.at(key));
  std::string spelling = TESSERA_TRY(value.isObject() ? value.get<std::string>("content") : value.as<std::string>());
  auto at = state.byName.find(spelling);
  return at == state.byName.end() ? std::optional<int32_t>() : std::optional<int32_t>(at->second);
}

Status readConfig(const std::string &path, State &state) {
  if (!std::filesystem::exists(path))
    return {};
  JsonValue config = TESSERA_TRY(JsonValue::open(path));
  if (std::optional<int32_t> eos = TESSERA_TRY(namedToken(config, "eos_token", state)))
    state.ends[size_t(*eos)] = true;
  if (!config.has("add_bos_token"))
    return {};
  bool adds = TESSERA_TRY(config.get<bool>("add_bos_token"));
  if (!adds)
    state.bos.reset();
  else if (!state.bos)
    state.bos = TESSERA_TRY(namedToken(config, "bos_token", state));
  return {};
}

} // namespace

Result<std::shared_ptr<const Tokenizer::State>> readTokenizerJson(const std::string &folder,
                                                                  std::span<const int32_t> ends, int64_t limit) {
  JsonValue json = TESSERA_TRY(JsonValue::open(folder + "/tokenizer.json"));
  JsonValue model = TESSERA_TRY(json.at("model"));
  TESSERA_TRY(checkModel(model));
  Stages stages = TESSERA_TRY(readStages(json));
  auto state = std::make_shared<State>();
  state->spellings.resize(size_t(limit));
  state->types.assign(size_t(limit), TokenType::unused);
  state->strips.assign(size_t(limit), stripNone);
  TESSERA_TRY(readVocabulary(json, model, *state));
  indexNames(*state);
  if (stages.byteLevel)
    TESSERA_TRY(readByteLevel(json, model, stages, *state));
  else
    TESSERA_TRY(readSentencePiece(model, stages, *state));
  state->ends.assign(size_t(limit), false);
  for (int32_t end : ends)
    if (end < limit)
      state->ends[size_t(end)] = true;
  state->bos = TESSERA_TRY(templateBos(json, *state));
  TESSERA_TRY(readConfig(folder + "/tokenizer_config.json", *state));
  finishTokenizer(*state);
  return std::shared_ptr<const Tokenizer::State>(std::move(state));
}

} // namespace tessera::model
