// Damaged files: whatever is cut off or flipped, the readers answer with one sentence or a valid model.
#include "runtime/model/chat.h"
#include "runtime/model/config.h"
#include "runtime/model/make_model.h"
#include "runtime/model/tokenizer.h"
#include "tests/model/raw_gguf.h"
#include <cstring>
#include <random>

namespace tessera::model {
namespace {

std::string tinyModel() {
  TemporaryFile file("");
  ModelShape shape{.layers = 1, .hidden = 32, .feedForward = 32, .heads = 2, .kvHeads = 1, .vocab = 320};
  makeModel(file.path, {.shape = shape}).value();
  std::ifstream in(file.path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

size_t headerBytes(const std::string &bytes) {
  TemporaryFile file(bytes);
  size_t data = 0;
  Gguf gguf = Gguf::open(file.path).value();
  for (const GgufTensor &tensor : gguf.tensors())
    data += (tensor.bytes.size() + 31) / 32 * 32;
  return bytes.size() - data;
}

void checkSentence(const Error &error, const std::string &path) {
  EXPECT_NE(error.blame, Blame::internal) << error.message;
  EXPECT_EQ(error.message.rfind(path + ": ", 0), 0u) << error.message;
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
  EXPECT_LT(error.message.size(), 400u) << error.message;
}

// Reads all that can be read; true where everything was found valid.
bool readAll(const std::string &path) {
  auto holds = [&](const auto &result) {
    if (!result)
      checkSentence(result.error(), path);
    return bool(result);
  };
  Result<Gguf> file = Gguf::open(path);
  if (!holds(file))
    return false;
  bool valid = holds(modelConfig(*file));
  valid &= holds(chatPrompt(*file, "hello"));
  Result<Tokenizer> tokenizer = Tokenizer::fromGguf(*file);
  if (!holds(tokenizer))
    return false;
  std::vector<int32_t> tokens = tokenizer->encode("The wall, <|im_start|>12 stones.\n").value();
  for (int32_t token : tokens) {
    EXPECT_GE(token, 0);
    EXPECT_LT(token, tokenizer->size());
  }
  tokenizer->decode(tokens);
  return valid;
}

TEST(Mutation, EveryTruncationIsRefused) {
  std::string bytes = tinyModel();
  TemporaryFile file(bytes);
  ASSERT_TRUE(readAll(file.path));
  size_t header = headerBytes(bytes);
  for (size_t size = 1; size < bytes.size(); size += size < header ? 3 : 509) {
    file.write(bytes.substr(0, size));
    Result<Gguf> opened = Gguf::open(file.path);
    ASSERT_FALSE(opened) << "cut to " << size;
    checkSentence(opened.error(), file.path);
  }
  file.write(bytes.substr(0, bytes.size() - 1));
  EXPECT_FALSE(Gguf::open(file.path));
}

TEST(Mutation, FlippedBytesNeverCrash) {
  std::string bytes = tinyModel();
  size_t header = headerBytes(bytes);
  TemporaryFile file(bytes);
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = bytes;
    for (uint32_t flips = 1 + random() % 4; flips > 0; --flips)
      damaged[random() % header] = char(random() % 3 == 0 ? 0xFF : random());
    file.write(damaged);
    refused += !readAll(file.path);
  }
  EXPECT_GT(refused, 300); // most flips hit spellings of tokens, where any byte is allowed
}

// Every 4- and 8-byte field position of the header gets the values that overflow, wrap and sign errors love.
TEST(Mutation, ExtremeFieldsNeverCrash) {
  std::string bytes = tinyModel();
  size_t header = headerBytes(bytes);
  TemporaryFile file(bytes);
  for (size_t at = 4; at + 8 <= header; at += at < 1200 || at + 900 > header ? 1 : 61)
    for (uint64_t value : {uint64_t(0), ~uint64_t(0), uint64_t(1) << 63, uint64_t(1) << 32, uint64_t(0x7FFFFFFF)}) {
      std::string damaged = bytes;
      std::memcpy(damaged.data() + at, &value, 8);
      file.write(damaged);
      readAll(file.path);
    }
}

} // namespace
} // namespace tessera::model
