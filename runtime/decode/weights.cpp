#include "runtime/decode/weights.h"
#include "runtime/decode/repack.h"
#include "runtime/driver/thread_pool.h"
#include <array>
#include <cmath>
#include <cstring>
#include <string>

namespace tessera::decode {

namespace {

// All tensors lie in one block of memory: a token streams through all of them, and a large block comes in huge pages.
class Loader {
public:
  Loader(const model::Gguf &file, const Device &device) : file(file), device(device) {}
  Status reserve();

  // The matrices of these names, all with `columns` columns and one type, one below the other.
  struct Part {
    std::string name;
    int64_t rows;
  };
  Result<Buffer> matrix(std::span<const Part> parts, int64_t columns);
  Result<Buffer> matrix(const std::string &name, int64_t rows, int64_t columns) {
    return matrix(std::array{Part{name, rows}}, columns);
  }
  Result<Buffer> vector(const std::string &name, int64_t size);

private:
  Result<Buffer> carve(DType dtype, Shape shape);
  Result<DType> dtypeOf(const model::GgufTensor &tensor) const {
    if (!tensor.type->dtype)
      return unsupported(file.about("the tensor '" + std::string(tensor.name) + "' has the quantization " +
                                    std::string(tensor.type->name) + ", which no kernel reads"));
    return *tensor.type->dtype;
  }
  static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  const model::Gguf &file;
  const Device &device;
  Buffer block;
  int64_t used = 0;
};

// Joining matrices only saves padding, so the sum over the file's tensors is enough.
Status Loader::reserve() {
  int64_t total = 0;
  for (const model::GgufTensor &tensor : file.tensors())
    if (tensor.type->dtype)
      total += aligned(TESSERA_TRY(bytesOf(*tensor.type->dtype, tensor.shape)));
  block = TESSERA_TRY(device.alloc(u8, {total}));
  return {};
}

Result<Buffer> Loader::carve(DType dtype, Shape shape) {
  Buffer part = TESSERA_TRY(block.view(used, dtype, std::move(shape)));
  used += aligned(part.bytes());
  return part;
}

Result<Buffer> Loader::matrix(std::span<const Part> parts, int64_t columns) {
  std::vector<FileRows> sources;
  std::optional<DType> format;
  int64_t rows = 0;
  for (const Part &part : parts) {
    const model::GgufTensor *tensor = TESSERA_TRY(file.require(part.name, std::array{part.rows, columns}));
    DType dtype = TESSERA_TRY(dtypeOf(*tensor));
    if (format.value_or(dtype) != dtype)
      return unsupported(file.about("the tensors '" + parts.front().name + "' and '" + part.name +
                                    "' have different quantizations, which is not supported"));
    format = dtype;
    rows += part.rows;
    sources.push_back({tensor->bytes, part.rows});
  }
  Buffer buffer = TESSERA_TRY(carve(*format, {rows, columns}));
  // Kernels of devices without host memory will need a staging copy; the panels are the same.
  std::span<std::byte> into(static_cast<std::byte *>(buffer.data()), size_t(buffer.bytes()));
  if (isPacked(*format)) {
    repack(*format, columns, sources, into, device.impl().threadPool());
  } else {
    for (const FileRows &source : sources) {
      std::memcpy(into.data(), source.bytes.data(), source.bytes.size());
      into = into.subspan(source.bytes.size());
    }
  }
  return buffer.asReadOnly();
}

Result<Buffer> Loader::vector(const std::string &name, int64_t size) {
  const model::GgufTensor *tensor = TESSERA_TRY(file.require(name, std::array{size}));
  if (tensor->type->dtype != f32)
    return unsupported(file.about("the tensor '" + name + "' has the type " + std::string(tensor->type->name) +
                                  ", but a norm's weights are F32"));
  Buffer buffer = TESSERA_TRY(carve(f32, {size}));
  TESSERA_TRY(buffer.copyFrom(tensor->bytes.data(), int64_t(tensor->bytes.size())));
  return buffer.asReadOnly();
}

Result<LayerWeights> loadLayer(Loader &load, const model::LlamaConfig &config, int64_t layer) {
  std::string block = "blk." + std::to_string(layer) + ".";
  int64_t hidden = config.hidden, inner = config.feedForward;
  int64_t query = config.attention.heads * config.attention.headDim;
  int64_t key = config.attention.kvHeads * config.attention.headDim;
  LayerWeights w;
  w.attentionNorm = TESSERA_TRY(load.vector(block + "attn_norm.weight", hidden));
  w.q = TESSERA_TRY(load.matrix(block + "attn_q.weight", query, hidden));
  w.k = TESSERA_TRY(load.matrix(block + "attn_k.weight", key, hidden));
  w.v = TESSERA_TRY(load.matrix(block + "attn_v.weight", key, hidden));
  w.o = TESSERA_TRY(load.matrix(block + "attn_output.weight", hidden, query));
  w.feedForwardNorm = TESSERA_TRY(load.vector(block + "ffn_norm.weight", hidden));
  const std::array<Loader::Part, 2> gateUp = {{{block + "ffn_gate.weight", inner}, {block + "ffn_up.weight", inner}}};
  w.gateUp = TESSERA_TRY(load.matrix(gateUp, hidden));
  w.down = TESSERA_TRY(load.matrix(block + "ffn_down.weight", hidden, inner));
  return w;
}

// Llama 3.1 and its kin stretch their context by such factors.
Result<std::vector<float>> loadRopeFactors(const model::Gguf &file, const model::RopeShape &rope) {
  constexpr std::string_view name = "rope_freqs.weight";
  std::vector<float> factors;
  if (!file.find(name))
    return factors;
  const model::GgufTensor *tensor = TESSERA_TRY(file.require(name, std::array{rope.rotaryDim / 2}));
  if (tensor->type->dtype != f32)
    return unsupported(file.about("the tensor 'rope_freqs.weight' has the type " + std::string(tensor->type->name) +
                                  ", but rope factors are F32"));
  factors.resize(size_t(rope.rotaryDim / 2));
  std::memcpy(factors.data(), tensor->bytes.data(), factors.size() * sizeof(float));
  for (float factor : factors)
    if (!(factor > 0) || std::isinf(factor))
      return invalidArgument(file.about("the tensor 'rope_freqs.weight' holds a factor that is not positive"));
  return factors;
}

} // namespace

Result<Weights> loadWeights(const model::Gguf &file, const model::LlamaConfig &config, const Device &device) {
  if (!device.impl().hostVisible())
    return unsupported("models run on CPU devices only");
  Loader load(file, device);
  TESSERA_TRY(load.reserve());
  Weights weights;
  weights.embedding = TESSERA_TRY(load.matrix("token_embd.weight", config.vocab, config.hidden));
  weights.outputNorm = TESSERA_TRY(load.vector("output_norm.weight", config.hidden));
  weights.head =
      config.tiedHead ? weights.embedding : TESSERA_TRY(load.matrix("output.weight", config.vocab, config.hidden));
  for (int64_t layer = 0; layer < config.layers; ++layer)
    weights.layers.push_back(TESSERA_TRY(loadLayer(load, config, layer)));
  weights.ropeFactors = TESSERA_TRY(loadRopeFactors(file, config.rope));
  return weights;
}

int64_t Weights::bytes() const {
  int64_t total = embedding.bytes() + outputNorm.bytes();
  if (head.data() != embedding.data())
    total += head.bytes();
  for (const LayerWeights &w : layers)
    for (const Buffer *buffer : {&w.attentionNorm, &w.q, &w.k, &w.v, &w.o, &w.feedForwardNorm, &w.gateUp, &w.down})
      total += buffer->bytes();
  return total;
}

Result<RopeTables> ropeTables(const Device &device, const model::RopeShape &rope, int64_t positions,
                              std::span<const float> factors) {
  int64_t pairs = rope.rotaryDim / 2;
  std::vector<float> cos(size_t(positions * pairs)), sin(cos.size());
  for (int64_t i = 0; i < pairs; ++i) {
    double frequency = std::pow(rope.base, -2.0 * double(i) / double(rope.rotaryDim));
    if (!factors.empty())
      frequency /= double(factors[size_t(i)]);
    for (int64_t p = 0; p < positions; ++p) {
      cos[size_t(p * pairs + i)] = float(std::cos(double(p) * frequency));
      sin[size_t(p * pairs + i)] = float(std::sin(double(p) * frequency));
    }
  }
  RopeTables tables;
  tables.cos = TESSERA_TRY(device.upload(f32, {positions, pairs}, std::span<const float>(cos)));
  tables.sin = TESSERA_TRY(device.upload(f32, {positions, pairs}, std::span<const float>(sin)));
  return tables;
}

} // namespace tessera::decode
