#include "runtime/model/chat.h"
#include "runtime/model/gguf_writer.h"
#include "runtime/model/make_model.h"
#include "runtime/model/tokenizer.h"
#include "tests/model/demo_model.h"
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tessera::model {
namespace {

using nlohmann::json;

std::string temporary(const std::string &name) { return (std::filesystem::path(testing::TempDir()) / name).string(); }

std::string fromHex(const std::string &hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2)
    out += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

// The demo model's vocabulary under another pre-tokenizer.
Gguf withPre(const Gguf &model, const std::string &pre) {
  auto strings = [&](std::string_view key) {
    auto views = model.get<std::vector<std::string_view>>(key).value();
    return std::vector<std::string>(views.begin(), views.end());
  };
  auto types = model.get<std::vector<int64_t>>("tokenizer.ggml.token_type").value();
  GgufWriter writer;
  writer.addString("tokenizer.ggml.model", "gpt2");
  writer.addString("tokenizer.ggml.pre", pre);
  writer.addStrings("tokenizer.ggml.tokens", strings("tokenizer.ggml.tokens"));
  writer.addStrings("tokenizer.ggml.merges", strings("tokenizer.ggml.merges"));
  writer.addIntegers("tokenizer.ggml.token_type", std::vector<int32_t>(types.begin(), types.end()));
  writer.addInteger("tokenizer.ggml.bos_token_id", 1);
  writer.addInteger("tokenizer.ggml.eos_token_id", 2);
  std::string path = temporary("vocabulary-" + pre + ".gguf");
  writer.write(path).value();
  Gguf file = Gguf::open(path).value();
  std::filesystem::remove(path);
  return file;
}

json goldens() {
  std::ifstream file("tests/model/data/tokenizer_golden.json");
  return json::parse(file);
}

// Every case of one family, against llama.cpp's tokens.
void checkFamily(const json &family, const Tokenizer &tokenizer) {
  for (const json &item : family["cases"]) {
    std::string text = item.contains("text") ? item["text"].get<std::string>() : fromHex(item["hex"]);
    auto wanted = item["tokens"].get<std::vector<int32_t>>();
    auto plain = item.value("plain", wanted);
    EXPECT_EQ(tokenizer.encode(text).value(), wanted) << family["pre"] << " " << item.dump().substr(0, 200);
    EXPECT_EQ(tokenizer.encode(text, {.parseSpecial = false}).value(), plain) << family["pre"] << " " << item.dump();
  }
}

json familyOf(const std::string &pre) {
  json families = goldens()["families"];
  auto at = std::ranges::find_if(families, [&](const json &family) { return family["pre"] == pre; });
  return at == families.end() ? json() : *at;
}

// Needs no download.
TEST(Tokenizer, OfTheTinyModelEqualsLlamaCpp) {
  std::string path = temporary("tiny-vocabulary.gguf");
  makeModel(path, {}).value();
  json family = familyOf("tiny");
  ASSERT_GT(family["cases"].size(), 150u);
  checkFamily(family, Tokenizer::fromGguf(Gguf::open(path).value()).value());
  std::filesystem::remove(path);
}

TEST(Tokenizer, EqualsLlamaCpp) {
  if (!hasDemoModel())
    GTEST_SKIP() << "the demo model is not there: " << demoModelPath();
  Gguf model = Gguf::open(demoModelPath()).value();
  json families = goldens()["families"];
  ASSERT_EQ(families.size(), 7u);
  for (const json &family : families)
    if (family["pre"] != "tiny")
      checkFamily(family, Tokenizer::fromGguf(withPre(model, family["pre"])).value());
}

TEST(Tokenizer, SpellsTokensAndEndsAsLlamaCppDoes) {
  if (!hasDemoModel())
    GTEST_SKIP() << "the demo model is not there: " << demoModelPath();
  Tokenizer tokenizer = Tokenizer::fromGguf(Gguf::open(demoModelPath()).value()).value();
  json family = familyOf("smollm");
  checkFamily(family, tokenizer);
  for (const auto &[id, hex] : family["pieces"].items())
    EXPECT_EQ(tokenizer.piece(std::stoi(id)), fromHex(hex)) << id;
  std::vector<int32_t> ends;
  for (int32_t id = 0; id < tokenizer.size(); ++id)
    if (tokenizer.isEnd(id))
      ends.push_back(id);
  EXPECT_EQ(ends, family["ends"].get<std::vector<int32_t>>());
  EXPECT_FALSE(tokenizer.bos()); // its file says add_bos_token = false
}

TEST(Utf8Stream, CutsAtCharacters) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80z"), "😀z");
  EXPECT_EQ(stream.push("\xFFq"), "\uFFFDq");
  EXPECT_EQ(stream.push("\xC3("), "\uFFFD("); // the second byte shows that the first can never be completed
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Tokenizer, LongWordsTakeNoLongTime) {
  std::string path = temporary("long-words.gguf");
  makeModel(path, {}).value();
  Tokenizer tokenizer = Tokenizer::fromGguf(Gguf::open(path).value()).value();
  std::filesystem::remove(path);
  for (std::string text : {std::string(1 << 20, 'a'), std::string(1 << 20, ' '), std::string(1 << 20, '\n')})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).value()), text); // quadratic work would take hours
}

} // namespace
} // namespace tessera::model
