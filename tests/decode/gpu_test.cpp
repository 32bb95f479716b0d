// The decode graph on GPUs, the virtual ones and cuda:0 where there is a real one: the CPU's tokens, the same bits
// however the work is cut, and a recorded step that is replayed.
#include "ops/reference/error.h"
#include "runtime/decode/decoder.h"
#include "tests/decode/reference_llama.h"
#include "tests/decode/tiny_model.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace tessera::decode {
namespace {

class Gpu : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    if (Result<Device> device = Device::open(GetParam()); !device && !GetParam().starts_with("virtual:"))
      GTEST_SKIP() << "no real GPU here: " << device.error().message;
  }
  static LoadOptions options() {
    LoadOptions on = testOptions();
    on.device = GetParam();
    return on;
  }
  static Generation generate(const LoadOptions &on, const std::string &path, bool logprobs = false) {
    Result<Model> model = Model::load(path, on);
    if (!model) {
      ADD_FAILURE() << model.error().message;
      return {};
    }
    Result<Generation> out = model->generate(someTokens(19), {.maxTokens = 16, .logprobs = logprobs});
    EXPECT_TRUE(out) << (out ? "" : out.error().message);
    return out ? *out : Generation{};
  }
};

TEST_P(Gpu, GreedyTokensAreTheCpus) {
  Generation cpu = generate(testOptions(), tinyModel(), true), gpu = generate(options(), tinyModel(), true);
  ASSERT_EQ(cpu.tokens.size(), 16u);
  EXPECT_EQ(gpu.tokens, cpu.tokens);
  EXPECT_EQ(gpu.modelled, GetParam().starts_with("virtual:"));
  EXPECT_GT(gpu.decodeTokensPerS, 0);
  for (size_t i = 0; i < gpu.logprobs.size(); ++i)
    EXPECT_NEAR(gpu.logprobs[i], cpu.logprobs[i], 0.02) << i; // a value between two 8-bit codes may fall either way
}

// As logits_test on the CPU, with its bounds.
TEST_P(Gpu, LogitsMatchADoublePrecisionForwardPass) {
  model::ModelOptions odd; // groups of 3 heads of 32, an untied head, rows that fill no panel
  odd.shape = {
      .layers = 3, .hidden = 96, .feedForward = 224, .heads = 3, .kvHeads = 1, .vocab = 777, .tiedHead = false};
  struct Case {
    std::string path;
    double bound;
  };
  for (const Case &each :
       {Case{tinyModel("Q8_0"), 1e-5}, Case{tinyModel("F16"), 1e-7}, Case{tinyModel(odd, "odd"), 1e-5}}) {
    Result<Model> model = Model::load(each.path, options());
    ASSERT_TRUE(model) << model.error().message;
    std::vector<int32_t> tokens = someTokens(37, int32_t(model->config().vocab));
    Result<std::vector<float>> logits = model->logits(tokens);
    ASSERT_TRUE(logits) << logits.error().message;
    model::Gguf file = model::Gguf::open(each.path).value();
    EXPECT_LE(reference::nmse(*logits, referenceLogits(file, model->config(), tokens)), each.bound) << each.path;
  }
}

// With f32 in weights, activations and cache no border between two values carries the last bit of a sum further.
TEST_P(Gpu, LogitsAreTheCpusWhereNothingIsRounded) {
  auto logits = [](LoadOptions on) {
    on.cache = f32;
    return Model::load(tinyModel("F16"), on).value().logits(someTokens(37)).value();
  };
  std::vector<float> cpu = logits(testOptions());
  double nmse = reference::nmse(logits(options()), std::vector<double>(cpu.begin(), cpu.end()));
  RecordProperty("nmse", testing::PrintToString(nmse));
  EXPECT_LE(nmse, 1e-12);
}

// Bit for bit, as on the CPU. A chunk of one token replays a recorded step, longer ones launch kernel by kernel.
TEST_P(Gpu, ChunksAndPagesChangeNoBit) {
  std::vector<int32_t> tokens = someTokens(43);
  auto logits = [&](int64_t chunk, int64_t pageSize) {
    LoadOptions on = options();
    on.chunk = chunk, on.pageSize = pageSize;
    return Model::load(tinyModel(), on).value().logits(tokens).value();
  };
  std::vector<float> expected = logits(128, 16);
  EXPECT_EQ(logits(1, 16), expected);
  EXPECT_EQ(logits(17, 16), expected);
  EXPECT_EQ(logits(128, 5), expected);
  EXPECT_EQ(logits(128, 64), expected);
}

INSTANTIATE_TEST_SUITE_P(Devices, Gpu,
                         testing::Values("virtual:t4", "virtual:a10g", "virtual:a100", "virtual:l4", "virtual:h100",
                                         "cuda:0"),
                         [](const auto &device) {
                           std::string name = device.param;
                           std::ranges::replace(name, ':', '_');
                           return name;
                         });

} // namespace
} // namespace tessera::decode
