#include "runtime/decode/kernels.h"
#include "ops/arg_max.h"
#include "ops/attention.h"
#include "ops/embedding.h"
#include "ops/gelu_and_mul.h"
#include "ops/kv_append.h"
#include "ops/pointwise.h"
#include "ops/quant_matmul.h"
#include "ops/quantize.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
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

std::set<DType> matrixTypes(const Weights &weights) {
  std::set<DType> types = {weights.head.dtype()};
  for (const auto &[attention, feedForward] : weights.layers)
    for (const Buffer *matrix :
         {&attention.q, &attention.k, &attention.v, &attention.o, &feedForward.gateUp, &feedForward.down})
      types.insert(matrix->dtype());
  return types;
}

bool anyLayer(const model::ModelConfig &config, bool windowed) {
  for (int64_t layer = 0; layer < config.layers; ++layer)
    if (config.windowed(layer) == windowed)
      return true;
  return false;
}

} // namespace

Result<Kernels> buildKernels(const Engine &engine, const model::ModelConfig &config, const Weights &weights,
                             const KvShape &cache) {
  int heads = int(config.attention.heads), kvHeads = int(config.attention.kvHeads);
  int headDim = int(config.attention.headDim), rotaryDim = int(config.rope.rotaryDim), page = int(cache.pageSize);
  Kernels kernels;
  Batch batch(engine);
  for (int64_t rows : {int64_t(1), manyRows}) { // the longest to compile come first
    WideKernels &wide = rows == 1 ? kernels.one : kernels.many;
    for (DType type : matrixTypes(weights)) {
      ops::QuantMatmul matmul{.weight = type};
      TESSERA_TRY(batch.add(wide.matmul[type], matmul, matmul.defaultConfig(engine.target(), rows)));
    }
    ops::ScoreOptions score{.scale = config.rule.scale, .softCap = config.rule.softCap};
    ops::Attention attention{heads, kvHeads, headDim, page, f16, score};
    attention.keyColumns = cache.keyColumns;
    if (anyLayer(config, false))
      TESSERA_TRY(batch.add(wide.attention, attention, attention.defaultConfig(engine.target(), rows)));
    attention.score.window = int(config.rule.window);
    if (anyLayer(config, true))
      TESSERA_TRY(batch.add(wide.windowed, attention, attention.defaultConfig(engine.target(), rows)));
  }
  TESSERA_TRY(batch.add(kernels.embedding, ops::Embedding{weights.embedding.dtype()}));
  TESSERA_TRY(batch.add(kernels.norm, ops::RmsNorm{.residual = false}));
  TESSERA_TRY(batch.add(kernels.addNorm, ops::RmsNorm{.residual = true}));
  for (DType type : matrixTypes(weights))
    if (int group = info(type).packed->group; isQuantized(type) && !kernels.quantize.contains(group))
      TESSERA_TRY(batch.add(kernels.quantize[group], ops::Quantize{.group = group}));
  TESSERA_TRY(batch.add(kernels.ropeQ, ops::Rope{heads, headDim, rotaryDim, config.rope.interleaved, {}}));
  TESSERA_TRY(batch.add(kernels.ropeK, ops::Rope{kvHeads, headDim, rotaryDim, config.rope.interleaved, {}}));
  TESSERA_TRY(batch.add(kernels.append, ops::KvAppend{kvHeads, headDim, page, f16, cache.keyColumns}));
  if (config.family->gate == model::Gate::silu)
    TESSERA_TRY(batch.add(kernels.gate, ops::SiluAndMul{}));
  else
    TESSERA_TRY(batch.add(kernels.gate, ops::GeluAndMul{.tanh = true}));
  if (config.layout.qkvBias || config.layout.outputBias)
    TESSERA_TRY(batch.add(kernels.extra.bias, ops::Add{{}, true}));
  if (config.family->scaledEmbedding)
    TESSERA_TRY(batch.add(kernels.extra.scale, ops::Scale{}));
  if (config.logitSoftCap > 0)
    TESSERA_TRY(batch.add(kernels.extra.softCap, ops::SoftCap{}));
  TESSERA_TRY(batch.add(kernels.argMax, ops::ArgMax{}));
  TESSERA_TRY(batch.compile());
  return kernels;
}

} // namespace tessera::decode
