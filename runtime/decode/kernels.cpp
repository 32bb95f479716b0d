#include "runtime/decode/kernels.h"
#include "ops/arg_max.h"
#include "ops/attention.h"
#include "ops/attention_merge.h"
#include "ops/embedding.h"
#include "ops/gelu_and_mul.h"
#include "ops/pointwise.h"
#include "ops/quant_matmul.h"
#include "ops/quantize.h"
#include "ops/rms_norm.h"
#include "ops/rope_append.h"
#include "ops/silu_and_mul.h"
#include <set>

namespace tessera::decode {

namespace {

// Prompts bring at least this many rows where kernels are tuned for many.
constexpr int64_t manyRows = 64;

// Traces now, compiles all together, then hands each kernel to its place.
class Batch {
public:
  explicit Batch(const Engine &engine) : engine(engine) {}

  template <class Op> Status add(LoadedKernel &into, const Op &op, typename Op::Config config) {
    programs.push_back(TESSERA_TRY(engine.program(op, config)));
    places.push_back(&into);
    return {};
  }
  template <class Op> Status add(LoadedKernel &into, const Op &op) {
    return add(into, op, op.defaultConfig(engine.target()));
  }
  Status compile() {
    std::vector<LoadedKernel> kernels = TESSERA_TRY(engine.loadAll(programs));
    for (size_t i = 0; i < kernels.size(); ++i)
      *places[i] = std::move(kernels[i]);
    return {};
  }

private:
  const Engine &engine;
  std::vector<Program> programs;
  std::vector<LoadedKernel *> places;
};

// Everything that some layer asks for.
struct Wanted {
  std::set<MatmulKey> products;
  std::set<AttentionKey> attention;
  std::set<int> norms, gates, quantize;

  // A norm or activation before these weights: codes from the norm itself, or quantized for each group.
  void source(std::span<const Buffer> weights) {
    int common = groupOf(weights);
    norms.insert(common);
    for (const Buffer &weight : weights)
      if (int group = groupOf(weight.dtype()); group != common)
        quantize.insert(group);
  }
  void source(const Buffer &weight) { source(std::span(&weight, 1)); }
  // An f32 result before this weight.
  void plain(const Buffer &weight) {
    if (int group = groupOf(weight.dtype()))
      quantize.insert(group);
  }
};

Wanted wantedBy(const model::ModelConfig &config, const Weights &weights) {
  Wanted wanted;
  wanted.source(weights.head);
  wanted.products.insert({weights.head.dtype()});
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto &[attention, feedForward] = weights.layers[size_t(layer)];
    wanted.source(attention.qkv);
    for (const MatmulKey &key : qkvProducts(attention))
      wanted.products.insert(key);
    AttentionKey attends = attentionOf(attention, config, layer);
    wanted.attention.insert(attends);
    if (attends.group == 0)
      wanted.plain(attention.o);
    wanted.products.insert(outputProduct(attention));
    wanted.source(feedForward.gateUp);
    wanted.products.insert({feedForward.gateUp.dtype()});
    wanted.gates.insert(groupOf(feedForward.down.dtype()));
    wanted.products.insert({feedForward.down.dtype()});
  }
  if (config.family->norms.post)
    wanted.norms.insert(0);
  return wanted;
}

} // namespace

int groupOf(std::span<const Buffer> weights) {
  int common = groupOf(weights.front().dtype());
  for (const Buffer &weight : weights)
    if (groupOf(weight.dtype()) != common)
      return 0;
  return common;
}

std::vector<MatmulKey> qkvProducts(const AttentionWeights &w) {
  std::vector<MatmulKey> keys;
  for (const Buffer &matrix : w.qkv)
    keys.push_back({.weight = matrix.dtype(), .bias = bool(w.qkvBias), .slice = w.qkv.size() > 1});
  return keys;
}

MatmulKey outputProduct(const AttentionWeights &w) { return {.weight = w.o.dtype(), .bias = bool(w.oBias)}; }

AttentionKey attentionOf(const AttentionWeights &w, const model::ModelConfig &config, int64_t layer) {
  int group = groupOf(w.o.dtype());
  return {config.windowed(layer), group && config.attention.headDim % group == 0 ? group : 0};
}

// The rows that products are compiled for: a token, up to eight sequences at once, a prompt.
static std::vector<int64_t> widths(int64_t sequences) {
  std::vector<int64_t> rows = {1};
  while (rows.back() < std::min<int64_t>(sequences, 8))
    rows.push_back(rows.back() * 2);
  rows.push_back(manyRows);
  return rows;
}

Result<Kernels> buildKernels(const Engine &engine, const model::ModelConfig &config, const Weights &weights,
                             const KernelOptions &options) {
  const auto &[cache, split, sequences] = options;
  int heads = int(config.attention.heads), kvHeads = int(config.attention.kvHeads);
  int headDim = int(config.attention.headDim), rotaryDim = int(config.rope.rotaryDim), page = int(cache.pageSize);
  bool silu = config.family->gate == model::Gate::silu;
  const Target &target = engine.target();
  Wanted wanted = wantedBy(config, weights);
  Kernels kernels;
  Batch batch(engine); // the longest to compile come first
  for (int64_t rows : widths(sequences))
    for (const MatmulKey &key : wanted.products) {
      ops::QuantMatmul matmul{.weight = key.weight, .bias = key.bias, .slice = key.slice};
      TESSERA_TRY(batch.add(kernels.matmul.kernels[rows][key], matmul, matmul.defaultConfig(target, rows)));
    }
  for (int64_t rows : {int64_t(1), manyRows})
    for (const AttentionKey &key : wanted.attention) {
      ops::ScoreOptions score{.scale = config.rule.scale, .softCap = config.rule.softCap};
      score.window = key.windowed ? int(config.rule.window) : 0;
      ops::Attention attention{heads, kvHeads, headDim, page, cache.dtype, score};
      attention.keyColumns = cache.keyColumns;
      attention.codeGroup = key.group;
      attention.split = split.needed() ? int(split.split) : 0;
      std::map<AttentionKey, LoadedKernel> &wide = kernels.attention.kernels[rows];
      TESSERA_TRY(batch.add(wide[key], attention, attention.defaultConfig(target, rows)));
      if (rows > 1 || key.windowed || !split.inParts())
        continue;
      attention.partial = true;
      attention.codeGroup = 0;
      TESSERA_TRY(
          batch.add(wide[{.group = key.group, .partial = true}], attention, attention.defaultConfig(target, rows)));
      TESSERA_TRY(
          batch.add(kernels.merge[key.group], ops::AttentionMerge{heads, headDim, int(split.split), false, key.group}));
    }
  TESSERA_TRY(batch.add(kernels.embedding, ops::Embedding{weights.embedding.dtype()}));
  for (int group : wanted.norms) {
    TESSERA_TRY(batch.add(kernels.norm[group], ops::RmsNorm{.residual = false, .group = group}));
    TESSERA_TRY(batch.add(kernels.addNorm[group], ops::RmsNorm{.residual = true, .group = group}));
  }
  for (int group : wanted.quantize)
    TESSERA_TRY(batch.add(kernels.quantize[group], ops::Quantize{.group = group}));
  TESSERA_TRY(
      batch.add(kernels.ropeAppend, ops::RopeAppend{heads, kvHeads, headDim, rotaryDim, config.rope.interleaved,
                                                    config.family->norms.heads, page, cache.dtype, cache.keyColumns}));
  for (int group : wanted.gates) {
    if (silu)
      TESSERA_TRY(batch.add(kernels.gate[group], ops::SiluAndMul{.group = group}));
    else
      TESSERA_TRY(batch.add(kernels.gate[group], ops::GeluAndMul{.tanh = true, .group = group}));
  }
  if (config.family->scaledEmbedding)
    TESSERA_TRY(batch.add(kernels.extra.scale, ops::Scale{}));
  if (config.logitSoftCap > 0)
    TESSERA_TRY(batch.add(kernels.extra.softCap, ops::SoftCap{}));
  bool parts = config.vocab > ChoiceKernels::columns;
  TESSERA_TRY(batch.add(kernels.choice.find, ops::ArgMax{.columns = parts ? int(ChoiceKernels::columns) : 0}));
  if (parts)
    TESSERA_TRY(batch.add(kernels.choice.merge, ops::ArgMaxMerge{}));
  TESSERA_TRY(batch.compile());
  return kernels;
}

} // namespace tessera::decode
