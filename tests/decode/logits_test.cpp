// The decode graph against a double-precision forward pass, and against itself under every way of cutting the work.
#include "ops/reference/error.h"
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
  std::vector<double> expected = referenceLogits(file, model::llamaConfig(file).value(), tokens);
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

// Bit for bit: nothing of how the work is cut may reach the result.
TEST(LogitsAreTheSame, WhateverTheChunk) {
  std::vector<int32_t> tokens = someTokens(41);
  std::vector<float> expected = logitsOf(tinyModel(), testOptions(), tokens);
  for (int64_t chunk : {1, 2, 7, 16, 40}) {
    LoadOptions options = testOptions();
    options.chunk = chunk;
    EXPECT_EQ(logitsOf(tinyModel(), options, tokens), expected) << "chunk " << chunk;
  }
}

TEST(LogitsAreTheSame, WhateverThePageSize) {
  std::vector<int32_t> tokens = someTokens(41);
  std::vector<float> expected = logitsOf(tinyModel(), testOptions(), tokens);
  for (int64_t pageSize : {1, 5, 64}) {
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
