// Every model family against Hugging Face's transformers, from both kinds of files
// (scripts/dev/make_family_goldens.py).
#include "ops/reference/error.h"
#include "tests/decode/family_files.h"
#include "tests/decode/tiny_model.h"
#include <gtest/gtest.h>

namespace tessera::decode {

struct FamilyCase {
  Json golden;
  std::string kind; // of file
};

static std::vector<FamilyCase> familyCases() {
  std::vector<FamilyCase> all;
  for (const Json &golden : familyGoldens()["models"])
    for (const char *kind : {"gguf", "safetensors"})
      all.push_back({golden, kind});
  return all;
}

class Families : public testing::TestWithParam<FamilyCase> {
protected:
  const Json &golden = GetParam().golden;
  std::string path = testFolder() + "/" + golden["name"].get<std::string>() + "." + GetParam().kind;
  std::vector<int32_t> prompt = golden["prompt"].get<std::vector<int32_t>>();

  void SetUp() override { GetParam().kind == "gguf" ? writeGguf(golden, path) : writeFolder(golden, path); }
};
INSTANTIATE_TEST_SUITE_P(, Families, testing::ValuesIn(familyCases()), [](const auto &info) {
  return info.param.golden["name"].template get<std::string>() + "_" + info.param.kind;
});

// The bound is what keys and values lose in the cache, which is f16: with an f32 cache the two agree to 1e-11.
TEST_P(Families, LogitsAreTransformers) {
  Result<Model> model = Model::load(path, testOptions());
  ASSERT_TRUE(model) << model.error().message;
  Result<std::vector<float>> logits = model->logits(prompt);
  ASSERT_TRUE(logits) << logits.error().message;
  size_t vocab = size_t(model->config().vocab), stride = familyGoldens()["stride"].get<size_t>();
  std::vector<float> thinned;
  for (size_t i = 0; i < logits->size(); ++i)
    if (i % vocab % stride == 0)
      thinned.push_back((*logits)[i]);
  std::vector<double> want = floatsOf(golden["logits"]);
  ASSERT_EQ(thinned.size(), want.size());
  double nmse = reference::nmse(thinned, want);
  RecordProperty("nmse", std::to_string(nmse));
  EXPECT_LE(nmse, 2e-6);
}

TEST_P(Families, GreedyTextIsTransformers) {
  Result<Model> model = Model::load(path, testOptions());
  ASSERT_TRUE(model) << model.error().message;
  std::vector<int32_t> want = golden["greedy"];
  GenerateOptions options;
  options.maxTokens = int64_t(want.size());
  Result<Generation> generation = model->generate(prompt, options);
  ASSERT_TRUE(generation) << generation.error().message;
  EXPECT_EQ(generation->tokens, want);
}

} // namespace tessera::decode
