#include "runtime/decode/weights.h"
#include "runtime/decode/repack.h"
#include "runtime/driver/thread_pool.h"
#include "runtime/model/quantize.h"
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace tessera::decode {

namespace {

// The format in which kernels read a matrix that a file holds as `stored`: packed formats keep their codes, values go
// into panels too.
DType inPanels(DType stored) {
  for (const DTypeInfo &row : dtypes())
    if (row.packed && row.packed->isValues() && row.packed->element == stored)
      return row.dtype;
  return stored;
}

// The pages that lie wholly inside `bytes` of a mapped file leave memory; reading them again would bring them back.
void release(std::span<const std::byte> bytes) {
  uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE)), begin = reinterpret_cast<uintptr_t>(bytes.data());
  uintptr_t first = (begin + page - 1) / page * page, end = (begin + bytes.size()) / page * page;
  if (first < end)
    madvise(reinterpret_cast<void *>(first), end - first, MADV_DONTNEED); // a hint: failure costs memory only
}

// All tensors lie in one block of memory: a token streams through all of them, and a large block comes in huge pages.
class Loader {
public:
  Loader(const model::Tensors &file, const Device &device, bool onePlusNorms)
      : file(file), device(device), onePlusNorms(onePlusNorms) {}
  Status reserve();

  // Rows of a tensor, all of it by default.
  struct Part {
    std::string name;
    int64_t rows; // of the tensor
    int64_t first = 0, count = rows;
  };
  // The parts, all with `columns` columns and one type, one below the other.
  Result<Buffer> matrix(std::span<const Part> parts, int64_t columns);
  Result<Buffer> matrix(const std::string &name, int64_t rows, int64_t columns) {
    return matrix(Part{name, rows}, columns);
  }
  Result<Buffer> matrix(const Part &part, int64_t columns) { return matrix(std::span(&part, 1), columns); }
  // The same as a list of matrices: a new one begins where the type changes.
  Result<std::vector<Buffer>> matrices(std::span<const Part> parts, int64_t columns);
  // A norm's weights: with the one that some files leave out.
  Result<Buffer> norm(const std::string &name, int64_t size) {
    return vector(std::array{Part{name, size}}, onePlusNorms ? 1.0f : 0.0f);
  }
  Result<Buffer> vector(std::span<const Part> parts, float plus = 0);
  // Writes the matrices and vectors that were planned.
  Status fill();

private:
  // A matrix that is still to be written.
  struct Job {
    DType panels;
    int64_t columns;
    std::vector<FileRows> sources;
    std::vector<std::span<const std::byte>> read; // of the file, one a tensor
    Buffer into;
  };
  Result<Buffer> carve(DType dtype, Shape shape);
  Result<DType> dtypeOf(const model::StoredTensor &tensor) const {
    if (!tensor.type->dtype)
      return unsupported(file.about("the tensor '" + std::string(tensor.name) + "' has the quantization " +
                                    std::string(tensor.type->name) + ", which no kernel reads"));
    return *tensor.type->dtype;
  }
  static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  const model::Tensors &file;
  Device device; // a handle
  bool onePlusNorms;
  Buffer block;
  int64_t used = 0;
  std::vector<Job> jobs;
  std::vector<std::pair<Buffer, std::vector<float>>> vectors; // written with the matrices: one would touch a huge page
};

// Joining matrices only saves padding.
Status Loader::reserve() {
  int64_t total = 0;
  for (const model::StoredTensor &tensor : file.all())
    if (tensor.type->dtype) // vectors become f32
      total += aligned(tensor.shape.size() == 1 ? tensor.shape.front() * 4
                                                : TESSERA_TRY(bytesOf(inPanels(*tensor.type->dtype), tensor.shape)));
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
    const model::StoredTensor *tensor = TESSERA_TRY(file.require(part.name, std::array{part.rows, columns}));
    DType dtype = TESSERA_TRY(dtypeOf(*tensor));
    if (format.value_or(dtype) != dtype)
      return unsupported(file.about("the tensors '" + parts.front().name + "' and '" + part.name +
                                    "' have different quantizations, which is not supported"));
    format = dtype;
    rows += part.count;
    size_t rowBytes = tensor->bytes.size() / size_t(part.rows);
    sources.push_back(
        {tensor->bytes.subspan(rowBytes * size_t(part.first), rowBytes * size_t(part.count)), part.count});
  }
  DType panels = inPanels(*format);
  Buffer buffer = TESSERA_TRY(carve(panels, {rows, columns}));
  std::map<std::string_view, std::span<const std::byte>> done; // by tensor: short runs of rows share pages
  for (size_t i = 0; i < parts.size(); ++i) {
    std::span<const std::byte> &all = done[parts[i].name], &bytes = sources[i].bytes;
    const std::byte *end = std::max(all.data() + all.size(), bytes.data() + bytes.size());
    all = {all.empty() ? bytes.data() : std::min(all.data(), bytes.data()), end};
  }
  std::vector<std::span<const std::byte>> read;
  for (const auto &[name, bytes] : done)
    read.push_back(bytes);
  jobs.push_back({panels, columns, std::move(sources), std::move(read), buffer});
  return buffer.asReadOnly();
}

// In the buffer itself where the host can, else in memory of one tensor's size from which the device copies.
Status Loader::fill() {
  std::vector<std::byte> staging;
  bool direct = device.impl().hostVisible();
  for (const Job &job : jobs) {
    size_t size = size_t(job.into.bytes());
    if (!direct)
      staging.resize(size);
    std::byte *bytes = direct ? static_cast<std::byte *>(job.into.data()) : staging.data();
    repack(job.panels, job.columns, job.sources, {bytes, size}, device.impl().threadPool());
    if (!direct)
      TESSERA_TRY(job.into.copyFrom(bytes, job.into.bytes()));
    for (std::span<const std::byte> tensor : job.read)
      release(tensor);
  }
  for (const auto &[into, values] : vectors)
    TESSERA_TRY(into.copyFrom(values.data(), into.bytes()));
  jobs.clear();
  vectors.clear();
  return {};
}

Result<std::vector<Buffer>> Loader::matrices(std::span<const Part> parts, int64_t columns) {
  std::vector<Buffer> all;
  while (!parts.empty()) {
    auto typeOf = [&](const Part &part) -> Result<const model::GgmlType *> {
      return TESSERA_TRY(file.require(part.name, std::array{part.rows, columns}))->type;
    };
    size_t count = 1;
    while (count < parts.size() && TESSERA_TRY(typeOf(parts[count])) == TESSERA_TRY(typeOf(parts[0])))
      ++count;
    all.push_back(TESSERA_TRY(matrix(parts.first(count), columns)));
    parts = parts.subspan(count);
  }
  return all;
}

Result<Buffer> Loader::vector(std::span<const Part> parts, float plus) {
  std::vector<float> values;
  for (const Part &part : parts) {
    const model::StoredTensor *tensor = TESSERA_TRY(file.require(part.name, std::array{part.rows}));
    DType dtype = TESSERA_TRY(dtypeOf(*tensor));
    for (int64_t i = part.first; i < part.first + part.count; ++i) {
      const std::byte *at = tensor->bytes.data() + size_t(i) * size_t(tensor->type->blockBytes);
      float value;
      if (dtype == f32) {
        std::memcpy(&value, at, 4);
      } else {
        uint16_t bits;
        std::memcpy(&bits, at, 2);
        value = dtype == f16 ? model::fromHalf(bits) : std::bit_cast<float>(uint32_t(bits) << 16);
      }
      values.push_back(value + plus);
    }
  }
  Buffer buffer = TESSERA_TRY(carve(f32, {int64_t(values.size())}));
  vectors.emplace_back(buffer, std::move(values));
  return buffer.asReadOnly();
}

class LayerLoader {
public:
  LayerLoader(Loader &load, const model::ModelConfig &config, int64_t layer)
      : load(load), config(config), block("blk." + std::to_string(layer) + "."),
        query(config.attention.heads * config.attention.headDim),
        key(config.attention.kvHeads * config.attention.headDim) {}

  Result<AttentionWeights> attention() {
    int64_t hidden = config.hidden;
    AttentionWeights w;
    w.norm = TESSERA_TRY(load.norm(block + "attn_norm.weight", hidden));
    w.qkv = TESSERA_TRY(load.matrices(projections(".weight"), hidden));
    w.o = TESSERA_TRY(load.matrix(block + "attn_output.weight", hidden, query));
    if (config.layout.qkvBias)
      w.qkvBias = TESSERA_TRY(load.vector(projections(".bias")));
    if (config.layout.outputBias)
      w.oBias = TESSERA_TRY(load.vector(std::array{Loader::Part{block + "attn_output.bias", hidden}}));
    if (config.family->norms.heads) {
      w.qNorm = TESSERA_TRY(load.norm(block + "attn_q_norm.weight", config.attention.headDim));
      w.kNorm = TESSERA_TRY(load.norm(block + "attn_k_norm.weight", config.attention.headDim));
    }
    if (config.family->norms.post)
      w.postNorm = TESSERA_TRY(load.norm(block + "post_attention_norm.weight", hidden));
    return w;
  }

  Result<FeedForwardWeights> feedForward() {
    int64_t hidden = config.hidden, inner = config.feedForward;
    FeedForwardWeights w;
    w.norm = TESSERA_TRY(load.norm(block + "ffn_norm.weight", hidden));
    w.gateUp = TESSERA_TRY(load.matrix(gateUp(), hidden));
    w.down = TESSERA_TRY(load.matrix(block + "ffn_down.weight", hidden, inner));
    if (config.family->norms.post)
      w.postNorm = TESSERA_TRY(load.norm(block + "post_ffw_norm.weight", hidden));
    return w;
  }

private:
  // attn_q, attn_k and attn_v, or attn_qkv.
  std::vector<Loader::Part> projections(const std::string &suffix) const {
    if (config.layout.fusedQkv)
      return {{block + "attn_qkv" + suffix, query + 2 * key}};
    return {{block + "attn_q" + suffix, query}, {block + "attn_k" + suffix, key}, {block + "attn_v" + suffix, key}};
  }
  // Gate and up projection, one below the other. A fused tensor has the gate first.
  std::vector<Loader::Part> gateUp() const {
    int64_t inner = config.feedForward;
    if (config.layout.fusedGateUp)
      return {{block + "ffn_up.weight", 2 * inner}};
    return {{block + "ffn_gate.weight", inner}, {block + "ffn_up.weight", inner}};
  }

  Loader &load;
  const model::ModelConfig &config;
  std::string block;
  int64_t query, key;
};

} // namespace

Result<PlannedWeights> planWeights(const model::Tensors &file, const model::ModelConfig &config, const Device &device) {
  auto shared = std::make_shared<Loader>(file, device, config.layout.onePlusNorms);
  Loader &load = *shared;
  TESSERA_TRY(load.reserve());
  Weights weights;
  weights.embedding = TESSERA_TRY(load.matrix("token_embd.weight", config.vocab, config.hidden));
  weights.outputNorm = TESSERA_TRY(load.norm("output_norm.weight", config.hidden));
  weights.head =
      config.tiedHead ? weights.embedding : TESSERA_TRY(load.matrix("output.weight", config.vocab, config.hidden));
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    LayerLoader loader(load, config, layer);
    weights.layers.push_back({TESSERA_TRY(loader.attention()), TESSERA_TRY(loader.feedForward())});
  }
  weights.ropeDivisors = TESSERA_TRY(model::ropeDivisors(file, config));
  return PlannedWeights{std::move(weights), [shared] { return shared->fill(); }};
}

Result<Weights> loadWeights(const model::Tensors &file, const model::ModelConfig &config, const Device &device) {
  PlannedWeights planned = TESSERA_TRY(planWeights(file, config, device));
  TESSERA_TRY(planned.fill());
  return std::move(planned.weights);
}

int64_t Weights::bytes() const {
  int64_t total = embedding.bytes() + outputNorm.bytes();
  if (head.data() != embedding.data())
    total += head.bytes();
  for (const auto &[a, f] : layers)
    for (const Buffer *buffer : {&a.norm, &a.qkvBias, &a.o, &a.oBias, &a.qNorm, &a.kNorm, &a.postNorm, &f.norm,
                                 &f.gateUp, &f.down, &f.postNorm})
      total += buffer->bytes();
  for (const LayerWeights &layer : layers)
    for (const Buffer &matrix : layer.attention.qkv)
      total += matrix.bytes();
  return total;
}

Result<RopeTables> ropeTables(const Device &device, const ops::RopeFrequencies &frequencies, int64_t positions) {
  ops::RopeTable host = ops::ropeTable(frequencies, positions);
  Shape shape = {positions, int64_t(frequencies.frequency.size())};
  RopeTables tables;
  tables.cos = TESSERA_TRY(device.upload(f32, shape, std::span<const float>(host.cos)));
  tables.sin = TESSERA_TRY(device.upload(f32, shape, std::span<const float>(host.sin)));
  return tables;
}

} // namespace tessera::decode
