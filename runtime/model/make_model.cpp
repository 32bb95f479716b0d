#include "runtime/model/make_model.h"
#include "runtime/model/gguf_writer.h"
#include "runtime/model/quantize.h"
#include "runtime/model/tiny_vocabulary.h"
#include <array>
#include <cmath>

namespace tessera::model {

namespace {
// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  // About normal with variance 1: the sum of twelve uniform numbers, exact in double, less their mean.
  float normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i)
      sum += double(next() >> 32) * 0x1p-32;
    return float(sum);
  }

private:
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  uint64_t state;
};

constexpr int64_t sizeLimit = 1 << 20;
constexpr int64_t weightLimit = int64_t(1) << 32;

Status checkRange(std::string_view option, int64_t value, int64_t least) {
  if (value < least || value > sizeLimit)
    return invalidArgument("--" + std::string(option) + " is " + std::to_string(value) + ", outside " +
                           std::to_string(least) + " to " + std::to_string(sizeLimit));
  return {};
}

int64_t weights(const ModelShape &shape) {
  int64_t perLayer =
      shape.hidden * (2 * shape.hidden + 2 * shape.hidden / shape.heads * shape.kvHeads + 3 * shape.feedForward);
  return shape.vocab * shape.hidden * (shape.tiedHead ? 1 : 2) + perLayer * shape.layers;
}

Status checkShape(const ModelShape &shape) {
  TESSERA_TRY(checkRange("layers", shape.layers, 1));
  TESSERA_TRY(checkRange("hidden", shape.hidden, 32));
  TESSERA_TRY(checkRange("feed-forward", shape.feedForward, 32));
  TESSERA_TRY(checkRange("heads", shape.heads, 1));
  TESSERA_TRY(checkRange("kv-heads", shape.kvHeads, 1));
  TESSERA_TRY(checkRange("vocab", shape.vocab, tinyVocabularyMinimum));
  TESSERA_TRY(checkRange("context", shape.context, 1));
  if (shape.hidden % 32 != 0 || shape.feedForward % 32 != 0)
    return invalidArgument("--hidden and --feed-forward must be multiples of 32, the block of the weight formats");
  if (shape.heads % shape.kvHeads != 0)
    return invalidArgument("--heads " + std::to_string(shape.heads) + " is not a multiple of --kv-heads " +
                           std::to_string(shape.kvHeads));
  if (shape.hidden % (2 * shape.heads) != 0)
    return invalidArgument("--hidden " + std::to_string(shape.hidden) + " does not divide into --heads " +
                           std::to_string(shape.heads) + " of even size");
  // Each factor is at most 2^20, so only the layers could overflow; their limit is checked by division.
  ModelShape oneLayer = shape;
  oneLayer.layers = 1;
  if (weights(oneLayer) > weightLimit / shape.layers)
    return invalidArgument("the model would have over " + std::to_string(weightLimit) + " weights");
  return {};
}

class Writer {
public:
  Writer(const ModelOptions &options, const GgmlType &matrixType)
      : options(options), shape(options.shape), matrixType(matrixType), random(options.seed) {}

  Status write(const std::string &path) {
    metadata();
    vocabulary();
    tensors();
    return file.write(path);
  }

private:
  void metadata() {
    file.addString("general.architecture", options.arch);
    file.addString("general.name", "tessera-tiny");
    auto add = [&](std::string_view name, int64_t value) {
      file.addInteger("llama." + std::string(name), uint32_t(value));
    };
    add("block_count", shape.layers);
    add("context_length", shape.context);
    add("embedding_length", shape.hidden);
    add("feed_forward_length", shape.feedForward);
    add("attention.head_count", shape.heads);
    add("attention.head_count_kv", shape.kvHeads);
    add("rope.dimension_count", shape.hidden / shape.heads);
    add("vocab_size", shape.vocab);
    file.addReal("llama.rope.freq_base", 10000);
    file.addReal("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  }

  void vocabulary() {
    TinyVocabulary tiny = makeTinyVocabulary(shape.vocab);
    file.addString("tokenizer.ggml.model", "gpt2");
    file.addString("tokenizer.ggml.pre", "smollm");
    file.addStrings("tokenizer.ggml.tokens", tiny.tokens);
    file.addIntegers("tokenizer.ggml.token_type", tiny.types);
    file.addStrings("tokenizer.ggml.merges", tiny.merges);
    file.addInteger("tokenizer.ggml.bos_token_id", tinyTurnStart);
    file.addInteger("tokenizer.ggml.eos_token_id", tinyTurnEnd);
    file.addBoolean("tokenizer.ggml.add_bos_token", false);
    file.addString("tokenizer.chat_template",
                   "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
                   "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
                   "{% endif %}");
  }

  void matrix(const std::string &name, int64_t rows, int64_t columns, const GgmlType &type) {
    // A variance of 1 / columns keeps the size of activations from layer to layer.
    float scale = 1 / std::sqrt(float(columns));
    std::vector<float> values(size_t(rows * columns));
    for (float &value : values)
      value = random.normal() * scale;
    file.addTensor(name, type, std::array{rows, columns}, quantizeRows(type, values));
  }

  void norm(const std::string &name) {
    std::vector<float> values(size_t(shape.hidden));
    for (float &value : values)
      value = 1 + random.normal() * 0.125f;
    const GgmlType &type = *ggmlType(f32);
    file.addTensor(name, type, std::array{shape.hidden}, quantizeRows(type, values));
  }

  void tensors() {
    int64_t key = shape.hidden / shape.heads * shape.kvHeads;
    bool isFourBit = matrixType.dtype == q4_0 || matrixType.dtype == q4_1;
    const GgmlType &headType = isFourBit && shape.tiedHead ? *ggmlType(q8_0) : matrixType;
    matrix("token_embd.weight", shape.vocab, shape.hidden, headType);
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
      std::string block = "blk." + std::to_string(layer) + ".";
      norm(block + "attn_norm.weight");
      matrix(block + "attn_q.weight", shape.hidden, shape.hidden, matrixType);
      matrix(block + "attn_k.weight", key, shape.hidden, matrixType);
      matrix(block + "attn_v.weight", key, shape.hidden, matrixType);
      matrix(block + "attn_output.weight", shape.hidden, shape.hidden, matrixType);
      norm(block + "ffn_norm.weight");
      matrix(block + "ffn_gate.weight", shape.feedForward, shape.hidden, matrixType);
      matrix(block + "ffn_up.weight", shape.feedForward, shape.hidden, matrixType);
      matrix(block + "ffn_down.weight", shape.hidden, shape.feedForward, matrixType);
    }
    norm("output_norm.weight");
    if (!shape.tiedHead)
      matrix("output.weight", shape.vocab, shape.hidden, matrixType);
  }

  const ModelOptions &options;
  const ModelShape &shape;
  const GgmlType &matrixType;
  Random random;
  GgufWriter file;
};
} // namespace

Status makeModel(const std::string &path, const ModelOptions &options) {
  if (options.arch != "llama")
    return unsupported("the architecture " + quoted(options.arch) + " is unknown; known: llama");
  const GgmlType *type = ggmlTypeByName(options.quant);
  if (!type || !canQuantize(*type) || type->dtype == f32)
    return unsupported("the quantization " + quoted(options.quant) +
                       " is not supported; supported: Q4_1, Q4_0, Q8_0, F16");
  TESSERA_TRY(checkShape(options.shape));
  return Writer(options, *type).write(path);
}

} // namespace tessera::model
