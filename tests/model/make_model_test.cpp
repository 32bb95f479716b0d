#include "ops/reference/formats.h"
#include "runtime/model/chat.h"
#include "runtime/model/config.h"
#include "runtime/model/make_model.h"
#include "runtime/model/quantize.h"
#include "runtime/model/tokenizer.h"
#include "tests/model/demo_model.h"
#include "tests/model/raw_gguf.h"
#include <algorithm>
#include <cmath>
#include <random>

namespace tessera::model {
namespace {

std::string read(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string errorOf(const ModelOptions &options) {
  TemporaryFile file("");
  Status made = makeModel(file.path, options);
  return made ? "no error" : made.error().message;
}

TEST(MakeModel, TheDefaultIsAValidModel) {
  TemporaryFile file("");
  makeModel(file.path, {}).value();
  EXPECT_GT(read(file.path).size(), 100'000u);
  EXPECT_LT(read(file.path).size(), 500'000u);
  Gguf gguf = Gguf::open(file.path).value();
  ModelConfig config = modelConfig(gguf).value();
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.hidden, 64);
  EXPECT_EQ(config.attention, (AttentionShape{4, 2, 16}));
  EXPECT_EQ(config.rope, (RopeShape{16, 10000, true}));
  EXPECT_EQ(config.vocab, 1024);
  EXPECT_TRUE(config.tiedHead);
  EXPECT_EQ(gguf.find("blk.1.ffn_up.weight")->type->name, "Q4_1");
  EXPECT_EQ(gguf.find("token_embd.weight")->type->name, "Q8_0"); // tied, so kept finer
  EXPECT_EQ(chatPrompt(gguf, "Hi").value(), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

TEST(MakeModel, EveryOptionTellsInTheFile) {
  TemporaryFile file("");
  for (const char *quant : {"Q4_1", "Q4_0", "Q8_0", "F16"}) {
    ModelShape shape{.layers = 3,
                     .hidden = 96,
                     .feedForward = 64,
                     .heads = 6,
                     .kvHeads = 3,
                     .vocab = 5000,
                     .context = 99,
                     .tiedHead = false};
    makeModel(file.path, {.shape = shape, .quant = quant}).value();
    Gguf gguf = Gguf::open(file.path).value();
    ModelConfig config = modelConfig(gguf).value();
    EXPECT_EQ(config.layers, 3);
    EXPECT_EQ(config.feedForward, 64);
    EXPECT_EQ(config.attention, (AttentionShape{6, 3, 16}));
    EXPECT_EQ(config.context, 99);
    EXPECT_FALSE(config.tiedHead);
    EXPECT_EQ(Tokenizer::fromGguf(gguf).value().size(), 5000);
    EXPECT_EQ(gguf.find("output.weight")->type->name, quant);
    EXPECT_EQ(gguf.find("blk.2.attn_k.weight")->type->name, quant);
  }
}

TEST(MakeModel, TheSeedDecidesTheBytes) {
  TemporaryFile file("");
  makeModel(file.path, {.seed = 5}).value();
  std::string first = read(file.path);
  makeModel(file.path, {.seed = 5}).value();
  EXPECT_EQ(read(file.path), first);
  makeModel(file.path, {.seed = 6}).value();
  EXPECT_NE(read(file.path), first);
}

TEST(MakeModel, ItsTokenizerGoesThereAndBack) {
  TemporaryFile file("");
  makeModel(file.path, {}).value();
  Tokenizer tokenizer = Tokenizer::fromGguf(Gguf::open(file.path).value()).value();
  for (std::string text : {"The wall is nothing but stones.", "naïve 😀 \t\n 12 x", " ", ""}) {
    std::vector<int32_t> tokens = tokenizer.encode(text).value();
    EXPECT_EQ(tokenizer.decode(tokens), text);
    EXPECT_LE(tokens.size(), text.size());
  }
  EXPECT_LE(tokenizer.encode("The stones and the wall").value().size(), 6u); // its merges do merge
  EXPECT_TRUE(tokenizer.isEnd(2));
  EXPECT_FALSE(tokenizer.isEnd(100));
}

TEST(MakeModel, RefusesWhatCannotBe) {
  EXPECT_EQ(errorOf({.arch = "mamba"}), "the architecture 'mamba' is unknown; known: llama");
  EXPECT_EQ(errorOf({.quant = "Q5_K"}), "the quantization 'Q5_K' is not supported; supported: Q4_1, Q4_0, Q8_0, F16");
  EXPECT_EQ(errorOf({.shape = {.hidden = 60}}),
            "--hidden and --feed-forward must be multiples of 32, the block of the weight formats");
  EXPECT_EQ(errorOf({.shape = {.heads = 3, .kvHeads = 2}}), "--heads 3 is not a multiple of --kv-heads 2");
  EXPECT_EQ(errorOf({.shape = {.heads = 3, .kvHeads = 1}}), "--hidden 64 does not divide into --heads 3 of even size");
  EXPECT_EQ(errorOf({.shape = {.layers = 0}}), "--layers is 0, outside 1 to 1048576");
  EXPECT_EQ(errorOf({.shape = {.vocab = 100}}), "--vocab is 100, outside 320 to 1048576");
  EXPECT_EQ(errorOf({.shape = {.layers = 1 << 20, .hidden = 1 << 20}}), "the model would have over 4294967296 weights");
  Status made = makeModel("/no/such/folder/m.gguf", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "/no/such/folder/m.gguf: cannot be written: No such file or directory");
}

// The decoder of ops/reference was written from the format's description alone.
TEST(Quantize, DecodesToTheNearestCode) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  constexpr int64_t rows = 7, columns = 96;
  std::vector<float> values(rows * columns);
  for (float &value : values)
    value = normal(random);
  for (DType dtype : {q4_0, q4_1, q8_0}) {
    const GgmlType &type = *ggmlType(dtype);
    std::string bytes = quantizeRows(type, values);
    ASSERT_EQ(bytes.size(), size_t(rows * columns / 32 * type.blockBytes));
    std::vector<float> decoded = reference::fromFile(dtype, rows, columns, std::as_bytes(std::span(bytes))).values();
    for (size_t block = 0; block < values.size(); block += 32) {
      std::span<const float> x(values.data() + block, 32);
      auto [least, most] = std::ranges::minmax(x);
      float amax = std::max(-least, most);
      float step = dtype == q4_0 ? amax / 8 : dtype == q4_1 ? (most - least) / 15 : amax / 127;
      // Q4_0 reaches -8 but only +7 steps. Two thousandths for the scales' f16.
      float allowed = (dtype == q4_0 ? 1.0f : 0.5f) * step + 2e-3f * amax;
      for (size_t i = 0; i < 32; ++i)
        EXPECT_NEAR(decoded[block + i], x[i], allowed) << type.name;
    }
  }
}

// Blocks worked out by hand after ggml's reference quantizers.
TEST(Quantize, KnownBlocks) {
  std::vector<float> ramp(32);
  for (int i = 0; i < 32; ++i)
    ramp[i] = float(i % 16) - 8; // -8 ... 7 twice
  std::string q40 = quantizeRows(*ggmlType(q4_0), ramp);
  EXPECT_EQ(fromHalf(uint16_t(uint8_t(q40[0]) | uint8_t(q40[1]) << 8)), 1.0f);
  std::string q41 = quantizeRows(*ggmlType(q4_1), ramp);
  EXPECT_EQ(fromHalf(uint16_t(uint8_t(q41[0]) | uint8_t(q41[1]) << 8)), 1.0f);
  EXPECT_EQ(fromHalf(uint16_t(uint8_t(q41[2]) | uint8_t(q41[3]) << 8)), -8.0f);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(uint8_t(q40[2 + i]), i | i << 4);
    EXPECT_EQ(uint8_t(q41[4 + i]), i | i << 4);
  }
  std::vector<float> zero(32);
  EXPECT_EQ(quantizeRows(*ggmlType(q8_0), zero), std::string(34, '\0'));
  std::vector<float> big(32, 127.0f);
  big[1] = -127;
  big[2] = 63.5f; // a half rounds away from zero
  std::string q80 = quantizeRows(*ggmlType(q8_0), big);
  EXPECT_EQ(int8_t(q80[2]), 127);
  EXPECT_EQ(int8_t(q80[3]), -127);
  EXPECT_EQ(int8_t(q80[4]), 64);
}

TEST(Quantize, HalvesRoundToNearestEven) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float value = fromHalf(uint16_t(bits));
    EXPECT_EQ(std::isnan(value), std::isnan(reference::fromF16(uint16_t(bits))));
    if (!std::isnan(value)) {
      EXPECT_EQ(value, reference::fromF16(uint16_t(bits)));
      EXPECT_EQ(toHalf(value), bits);
    }
  }
  std::mt19937 random(11);
  for (int i = 0; i < 200'000; ++i) {
    float value = std::bit_cast<float>(uint32_t(random()));
    if (!std::isnan(value))
      EXPECT_EQ(toHalf(value), reference::toF16(value)) << value;
  }
}

TEST(Chat, TheDemoModelsTemplate) {
  if (!hasDemoModel())
    GTEST_SKIP() << "the demo model is not there: " << demoModelPath();
  Gguf file = Gguf::open(demoModelPath()).value();
  EXPECT_EQ(chatPrompt(file, "What is gravity?").value(),
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n");
  ModelConfig config = modelConfig(file).value();
  EXPECT_EQ(config.attention, (AttentionShape{9, 3, 64}));
  EXPECT_EQ(config.rope, (RopeShape{64, 100000, true}));
  EXPECT_EQ(config.layers, 30);
  EXPECT_EQ(config.vocab, 49152);
}

} // namespace
} // namespace tessera::model
