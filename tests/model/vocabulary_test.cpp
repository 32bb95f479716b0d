// SentencePiece vocabularies and tokenizer.json files against llama.cpp and Hugging Face's tokenizers
// (scripts/dev/make_vocabulary_goldens.py).
#include "runtime/model/gguf_writer.h"
#include "runtime/model/tokenizer.h"
#include "tests/model/demo_model.h"
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tessera::model {
namespace {

using Json = nlohmann::json;

const Json &goldens() {
  static const Json goldens = Json::parse(std::ifstream("tests/model/data/vocabulary_golden.json"));
  return goldens;
}

std::string temporary(const std::string &name) { return (std::filesystem::path(testing::TempDir()) / name).string(); }

std::string fromHex(const std::string &hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2)
    out += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

void checkCases(const Json &cases, const Tokenizer &tokenizer, const std::string &what) {
  ASSERT_GT(cases.size(), 100u);
  for (const Json &item : cases) {
    std::string text = item.contains("text") ? item["text"].get<std::string>() : fromHex(item["hex"]);
    auto wanted = item["tokens"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.encode(text).value(), wanted) << what << " " << item.dump().substr(0, 300);
    if (item.contains("plain"))
      EXPECT_EQ(tokenizer.encode(text, {.parseSpecial = false}).value(), item["plain"].get<std::vector<int32_t>>())
          << what << " " << item.dump();
  }
}

Gguf vocabularyFile(const std::string &architecture, bool prefix) {
  const Json &vocabulary = goldens()["vocabulary"];
  GgufWriter writer;
  writer.addString("general.architecture", architecture);
  writer.addString("tokenizer.ggml.model", "llama");
  writer.addStrings("tokenizer.ggml.tokens", vocabulary["tokens"].get<std::vector<std::string>>());
  writer.addReals("tokenizer.ggml.scores", vocabulary["scores"].get<std::vector<float>>());
  writer.addIntegers("tokenizer.ggml.token_type", vocabulary["types"].get<std::vector<int32_t>>());
  writer.addInteger("tokenizer.ggml.unknown_token_id", 0);
  writer.addInteger("tokenizer.ggml.bos_token_id", 1);
  writer.addInteger("tokenizer.ggml.eos_token_id", 2);
  writer.addBoolean("tokenizer.ggml.add_space_prefix", prefix);
  std::string path = temporary("pieces-" + architecture + ".gguf");
  (void)writer.write(path).value();
  Gguf file = Gguf::open(path).value();
  std::filesystem::remove(path);
  return file;
}

TEST(SentencePiece, EqualsLlamaCpp) {
  for (const Json &family : goldens()["gguf"]) {
    std::string architecture = family["architecture"];
    Tokenizer tokenizer = Tokenizer::fromGguf(vocabularyFile(architecture, family["prefix"])).value();
    EXPECT_EQ(tokenizer.bos(), 1);
    EXPECT_TRUE(tokenizer.isEnd(2));
    checkCases(family["cases"], tokenizer, architecture);
    for (size_t i = 0; i < family["pieces"].size(); ++i)
      EXPECT_EQ(tokenizer.piece(int32_t(i)), fromHex(family["pieces"][i])) << i;
  }
}

TEST(SentencePiece, LongWordsTakeNoLongTime) {
  Tokenizer tokenizer = Tokenizer::fromGguf(vocabularyFile("gemma3", false)).value();
  for (char c : {'a', ' ', '\n', '\xff'}) {
    std::string text(1 << 20, c);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).value()), text); // quadratic work would take hours
  }
}

// A folder with this tokenizer.json, gone at the end of the scope.
struct TokenizerFolder {
  std::string path = temporary("tokenizer-folder");
  explicit TokenizerFolder(const std::string &json) {
    std::filesystem::create_directories(path);
    write("tokenizer.json", json);
  }
  ~TokenizerFolder() { std::filesystem::remove_all(path); }
  void write(const std::string &name, const std::string &text) const { std::ofstream(path + "/" + name) << text; }
  Result<Tokenizer> read(std::span<const int32_t> ends = {}) const { return Tokenizer::fromJson(path, ends, 700); }
};

TEST(TokenizerJson, EqualsHuggingFace) {
  ASSERT_EQ(goldens()["json"].size(), 7u);
  for (const Json &kind : goldens()["json"]) {
    TokenizerFolder folder(kind["tokenizer"].dump());
    Result<Tokenizer> tokenizer = folder.read();
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    checkCases(kind["cases"], *tokenizer, kind["kind"]);
  }
}

TEST(TokenizerJson, TheConfigBesideItNamesBeginAndEnd) {
  const Json &qwen2 = goldens()["json"][3];
  ASSERT_EQ(qwen2["kind"], "qwen2");
  TokenizerFolder folder(qwen2["tokenizer"].dump());
  EXPECT_FALSE(folder.read().value().bos());
  folder.write("tokenizer_config.json",
               R"({"add_bos_token": true, "bos_token": {"content": "<|bos|>"}, "eos_token": "a"})");
  Tokenizer tokenizer = folder.read(std::array{7, 100000}).value();
  EXPECT_EQ(tokenizer.bos(), 0);
  EXPECT_TRUE(tokenizer.isEnd(*tokenizer.find("a")));
  EXPECT_TRUE(tokenizer.isEnd(7));
  EXPECT_FALSE(tokenizer.isEnd(8));
}

TEST(SentencePiece, OfGemmaEqualsLlamaCpp) {
  const Json &gemma = goldens()["gemma"];
  std::string path = std::filesystem::path(demoModelPath()).replace_filename(gemma["model"].get<std::string>());
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << "the model is not there: " << path;
  Tokenizer tokenizer = Tokenizer::fromGguf(Gguf::open(path).value()).value();
  checkCases(gemma["cases"], tokenizer, "gemma");
  for (const auto &[id, hex] : gemma["pieces"].items())
    EXPECT_EQ(tokenizer.piece(std::stoi(id)), fromHex(hex)) << id;
  std::vector<int32_t> ends;
  for (int32_t id = 0; id < tokenizer.size(); ++id)
    if (tokenizer.isEnd(id))
      ends.push_back(id);
  EXPECT_EQ(ends, gemma["ends"].get<std::vector<int32_t>>());
}

} // namespace
} // namespace tessera::model
