#include "tests/decode/reference_llama.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include <cmath>
#include <string>

namespace tessera::decode {

namespace {

using Vector = std::vector<double>;

class Forward {
public:
  Forward(const model::Gguf &file, const model::ModelConfig &config, std::span<const int32_t> tokens)
      : file(file), config(config), tokens(tokens), T(int64_t(tokens.size())) {}

  Vector run() {
    Vector stream = reference::embedding(values("token_embd.weight"), tokens, config.hidden);
    for (int64_t layer = 0; layer < config.layers; ++layer) {
      block = "blk." + std::to_string(layer) + ".";
      add(stream, attention(norm(stream, block + "attn_norm.weight")));
      Vector normed = norm(stream, block + "ffn_norm.weight");
      Vector gate = matmul(normed, block + "ffn_gate.weight"), up = matmul(normed, block + "ffn_up.weight"), both;
      for (int64_t t = 0; t < T; ++t)
        for (const Vector *half : {&gate, &up})
          both.insert(both.end(), half->begin() + t * config.feedForward, half->begin() + (t + 1) * config.feedForward);
      add(stream, matmul(reference::siluAndMul<double>(both, config.feedForward), block + "ffn_down.weight"));
    }
    return matmul(norm(stream, "output_norm.weight"), config.tiedHead ? "token_embd.weight" : "output.weight");
  }

private:
  static void add(Vector &to, const Vector &x) {
    for (size_t i = 0; i < to.size(); ++i)
      to[i] += x[i];
  }
  static void roundToF16(Vector &x) {
    for (double &value : x)
      value = reference::fromF16(reference::toF16(float(value)));
  }

  Vector values(const std::string &name) const {
    const model::GgufTensor &tensor = *file.find(name);
    DType dtype = *tensor.type->dtype;
    std::vector<float> v = isPacked(dtype)
                               ? reference::fromFile(dtype, tensor.shape[0], tensor.shape[1], tensor.bytes).values()
                               : reference::decode(dtype, tensor.bytes);
    return {v.begin(), v.end()};
  }
  Vector norm(const Vector &x, const std::string &name) const {
    return reference::rmsNorm<double>(x, values(name), config.normEpsilon);
  }
  Vector matmul(const Vector &x, const std::string &name) const {
    const model::GgufTensor &tensor = *file.find(name);
    int64_t n = tensor.shape[0], k = tensor.shape[1];
    if (!isQuantized(*tensor.type->dtype))
      return reference::matmulTransposed<double>({T, n, k}, x, values(name));
    std::vector<float> narrow(x.begin(), x.end());
    return reference::matmulTransposed<double>(
        {T, n, k}, reference::quantize(narrow, k, info(*tensor.type->dtype).packed->group).values, values(name));
  }
  reference::RopeTables ropeTables() const {
    if (!file.find("rope_freqs.weight"))
      return reference::ropeTables(T, config.rope.rotaryDim, config.rope.base);
    Vector factors = values("rope_freqs.weight");
    reference::RopeTables tables;
    for (int64_t p = 0; p < T; ++p)
      for (size_t i = 0; i < factors.size(); ++i) {
        double pairs = double(factors.size());
        double angle = double(p) * std::pow(config.rope.base, -double(i) / pairs) / factors[i];
        tables.cosTable.push_back(std::cos(angle));
        tables.sinTable.push_back(std::sin(angle));
      }
    return tables;
  }
  Vector attention(const Vector &normed) const {
    const auto &[heads, kvHeads, headDim] = config.attention;
    auto tables = ropeTables();
    std::vector<int32_t> positions;
    for (int64_t t = 0; t < T; ++t)
      positions.push_back(int32_t(t));
    auto rotate = [&](int64_t count, const Vector &x) {
      return reference::rope<double>({count, headDim, config.rope.rotaryDim, config.rope.interleaved}, x, positions,
                                     tables.cosTable, tables.sinTable);
    };
    Vector q = rotate(heads, matmul(normed, block + "attn_q.weight"));
    Vector k = rotate(kvHeads, matmul(normed, block + "attn_k.weight")), v = matmul(normed, block + "attn_v.weight");
    roundToF16(k);
    roundToF16(v);
    reference::CacheShape cache = {1, kvHeads, T, headDim}; // one page holds it all
    Vector empty(size_t(kvHeads * T * headDim));            // slots are the positions
    Vector keys = reference::kvAppend(cache, empty, k, positions),
           vals = reference::kvAppend(cache, empty, v, positions);
    const int32_t page[] = {0}, length[] = {int32_t(T)};
    Vector o = reference::attention<double>({1, T, heads, 1, cache}, q, keys, vals, page, length);
    return matmul(o, block + "attn_output.weight");
  }

  const model::Gguf &file;
  const model::ModelConfig &config;
  std::span<const int32_t> tokens;
  int64_t T;
  std::string block;
};

} // namespace

std::vector<double> referenceLogits(const model::Gguf &file, const model::ModelConfig &config,
                                    std::span<const int32_t> tokens) {
  return Forward(file, config, tokens).run();
}

} // namespace tessera::decode
