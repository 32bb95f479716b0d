// The decode graph against a double-precision forward pass, and against itself under every way of cutting the work.
#include "ops/reference/error.h"
#include "runtime/model/gguf_writer.h"
#include "tests/decode/reference_llama.h"
#include "tests/decode/tiny_model.h"
#include <gtest/gtest.h>

namespace tessera::decode {

static std::vector<float> logitsOf(const std::string &path, const LoadOptions &options,
                                   std::span<const int32_t> tokens) {
  Result<Model> model = Model::load(path, options);
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return {};
  }
  Result<std::vector<float>> logits = model->logits(tokens);
  if (!logits) {
    ADD_FAILURE() << logits.error().message;
    return {};
  }
  return *logits;
}

struct Case {
  std::string name;
  model::ModelOptions options;
  double bound; // NMSE
};

class Logits : public testing::TestWithParam<Case> {};

// A value that lies on the border between two codes (or two f16 values) may fall either way, which one bound allows
// for; without such a case the two agree to 1e-13.
TEST_P(Logits, MatchADoublePrecisionForwardPass) {
  std::string path = tinyModel(GetParam().options, GetParam().name);
  std::vector<int32_t> tokens = someTokens(37, int32_t(GetParam().options.shape.vocab));
  std::vector<float> logits = logitsOf(path, testOptions(), tokens);
  model::Gguf file = model::Gguf::open(path).value();
  std::vector<double> expected = referenceLogits(file, model::modelConfig(file).value(), tokens);
  ASSERT_EQ(logits.size(), expected.size());
  double nmse = reference::nmse(logits, expected);
  RecordProperty("nmse", std::to_string(nmse));
  EXPECT_LE(nmse, GetParam().bound);
}

static std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char *quant : {"Q4_1", "Q4_0", "Q8_0", "F16"})
    all.push_back({quant, {.quant = quant}, std::string(quant) == "F16" ? 1e-7 : 1e-5});
  model::ModelOptions odd; // groups of 3 heads of 32, an untied head, rows that fill no panel
  odd.shape = {
      .layers = 3, .hidden = 96, .feedForward = 224, .heads = 3, .kvHeads = 1, .vocab = 777, .tiedHead = false};
  all.push_back({"odd", odd, 1e-5});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, Logits, testing::ValuesIn(cases()), [](const auto &info) { return info.param.name; });

// The tiny model with a tensor of rope factors beside its own.
static std::string modelWithRopeFactors(std::span<const float> factors) {
  model::Gguf plain = model::Gguf::open(tinyModel()).value();
  model::ModelConfig config = model::modelConfig(plain).value();
  model::GgufWriter writer;
  writer.addString("general.architecture", "llama");
  writer.addInteger("llama.block_count", uint32_t(config.layers));
  writer.addInteger("llama.embedding_length", uint32_t(config.hidden));
  writer.addInteger("llama.feed_forward_length", uint32_t(config.feedForward));
  writer.addInteger("llama.context_length", uint32_t(config.context));
  writer.addInteger("llama.attention.head_count", uint32_t(config.attention.heads));
  writer.addInteger("llama.attention.head_count_kv", uint32_t(config.attention.kvHeads));
  writer.addReal("llama.attention.layer_norm_rms_epsilon", float(config.normEpsilon));
  auto text = [](std::span<const std::byte> b) {
    return std::string(reinterpret_cast<const char *>(b.data()), b.size());
  };
  for (const model::GgufTensor &tensor : plain.tensors())
    writer.addTensor(tensor.name, *tensor.type, tensor.shape, text(tensor.bytes));
  const int64_t pairs = int64_t(factors.size());
  writer.addTensor("rope_freqs.weight", *model::ggmlType(f32), std::span(&pairs, 1), text(std::as_bytes(factors)));
  std::string path = testFolder() + "/rope.gguf";
  (void)writer.write(path).value();
  return path;
}

TEST(RopeFactors, AreTakenFromTheFile) {
  const std::vector<float> factors = {1, 1, 1.5f, 2, 3, 4, 6, 8};
  std::string path = modelWithRopeFactors(factors);
  std::vector<int32_t> tokens = someTokens(37);
  std::vector<float> logits = logitsOf(path, testOptions(), tokens);
  model::Gguf file = model::Gguf::open(path).value();
  EXPECT_LE(reference::nmse(logits, referenceLogits(file, model::modelConfig(file).value(), tokens)), 1e-5);
  EXPECT_NE(logits, logitsOf(tinyModel(), testOptions(), tokens));
}

TEST(RopeFactors, MustBePositiveAndOneAPair) {
  auto refusal = [](std::span<const float> factors) {
    Result<Model> model = Model::load(modelWithRopeFactors(factors), testOptions());
    return model ? "loaded" : model.error().message.substr(testFolder().size() + 1);
  };
  EXPECT_EQ(refusal(std::vector<float>{1, 1, 1, 0, 1, 1, 1, 1}),
            "rope.gguf: the tensor 'rope_freqs.weight' holds a factor that is not positive");
  EXPECT_NE(refusal(std::vector<float>(7, 1)).find("rope_freqs.weight"), std::string::npos);
}

// Bit for bit: nothing of how the work is cut may reach the result.
TEST(LogitsAreTheSame, WhateverTheChunk) {
  std::vector<int32_t> tokens = someTokens(130);
  std::vector<float> expected = logitsOf(tinyModel(), testOptions(), tokens);
  for (int64_t chunk : {1, 7, 16, 64, 512}) {
    LoadOptions options = testOptions();
    options.chunk = chunk;
    EXPECT_EQ(logitsOf(tinyModel(), options, tokens), expected) << "chunk " << chunk;
  }
}

TEST(LogitsAreTheSame, WhateverThePageSize) {
  std::vector<int32_t> tokens = someTokens(130);
  std::vector<float> expected = logitsOf(tinyModel(), testOptions(), tokens);
  for (int64_t pageSize : {1, 5, 64}) { // against 16; keys lie by columns in some
    LoadOptions options = testOptions();
    options.pageSize = pageSize;
    EXPECT_EQ(logitsOf(tinyModel(), options, tokens), expected) << "page size " << pageSize;
  }
}

TEST(LogitsAreTheSame, WhateverTheThreads) {
  for (const char *quant : {"Q4_1", "F16"}) {
    std::vector<int32_t> tokens = someTokens(41);
    std::vector<float> expected = logitsOf(tinyModel(quant), testOptions(), tokens);
    for (int threads : {1, 3, 7}) {
      LoadOptions options = testOptions();
      options.threads = threads;
      EXPECT_EQ(logitsOf(tinyModel(quant), options, tokens), expected) << quant << ", " << threads << " threads";
    }
  }
}

} // namespace tessera::decode
