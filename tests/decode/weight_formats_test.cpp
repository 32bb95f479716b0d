// Models in every weight format of a GGUF file against a double-precision forward pass over the dequantized weights.
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "runtime/model/gguf_writer.h"
#include "tests/decode/reference_llama.h"
#include "tests/decode/tiny_model.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace tessera::decode {

static std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

// Random weights of a usual size in a K-quant: random codes under scales that are made smaller.
static std::string randomKQuant(DType format, int64_t rows, int64_t columns) {
  reference::PackedMatrix m =
      reference::fromFile(format, rows, columns, reference::randomFile(format, rows, columns, uint32_t(rows)));
  auto shrink = [](uint16_t &half) { half = reference::toF16(reference::fromF16(half) / 32); };
  std::ranges::for_each(m.superScale, shrink);
  std::ranges::for_each(m.superMin, shrink);
  return text(reference::toFile(m));
}

// A tiny model whose matrices are stored as `format`.
static std::string modelIn(DType format) {
  model::ModelOptions options;
  options.quant = "F16";
  options.shape = {.layers = 2, .hidden = 256, .feedForward = 512, .heads = 4, .kvHeads = 2, .vocab = 512};
  model::Gguf plain = model::Gguf::open(tinyModel(options, "wide")).value();
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
  for (const model::GgufTensor &tensor : plain.tensors()) {
    if (tensor.shape.size() == 1) {
      writer.addTensor(tensor.name, *tensor.type, tensor.shape, text(tensor.bytes));
      continue;
    }
    std::vector<float> values = reference::decode(f16, tensor.bytes);
    std::string bytes = !isPacked(format) ? text(reference::encode(format, values))
                        : info(format).packed->twoLevels()
                            ? randomKQuant(format, tensor.shape[0], tensor.shape[1])
                            : text(reference::toFile(reference::quantizeBlocks(format, values, tensor.shape[1])));
    writer.addTensor(tensor.name, *model::ggmlType(format), tensor.shape, bytes);
  }
  std::string path = testFolder() + "/" + std::string(name(format)) + ".gguf";
  (void)writer.write(path).value();
  return path;
}

class WeightFormats : public testing::TestWithParam<DType> {};

TEST_P(WeightFormats, MatchADoublePrecisionForwardPass) {
  std::string path = modelIn(GetParam());
  std::vector<int32_t> tokens = someTokens(37, 512);
  Result<Model> model = Model::load(path, testOptions());
  ASSERT_TRUE(model) << model.error().message;
  std::vector<float> logits = model->logits(tokens).value();
  model::Gguf file = model::Gguf::open(path).value();
  std::vector<double> expected = referenceLogits(file, model::modelConfig(file).value(), tokens);
  // A value on the border between two 8-bit codes may fall either way, and what follows it differs by such steps; so
  // the whole is held to the bound of 8-bit activations, and the best token to that of f32 sums.
  EXPECT_LE(reference::nmse(logits, expected), isQuantized(GetParam()) ? 5e-4 : 1e-7);
  double best = 1;
  for (size_t t = 0; t < tokens.size(); ++t)
    best = std::min(
        best, reference::nmse(std::span(logits).subspan(t * 512, 512), std::span(expected).subspan(t * 512, 512)));
  RecordProperty("nmse_of_the_best_token", std::to_string(best));
  EXPECT_LE(best, 1e-9);
}
INSTANTIATE_TEST_SUITE_P(, WeightFormats,
                         testing::Values(f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k),
                         [](const auto &info) { return std::string(name(info.param)); });

} // namespace tessera::decode
