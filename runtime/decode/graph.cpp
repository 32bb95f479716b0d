#include "runtime/decode/graph.h"
#include <cmath>
#include <map>

namespace tessera::decode {

namespace {

// The input of matrix products; quantized once for each group size, when the first such weight asks for it.
struct Source {
  Activation x; // f32 [rows, columns]
  struct Quantized {
    Activation codes, scale, sum;
  };
  std::map<int, Quantized> quantized; // by the values that share a scale
};

class GraphBuilder {
public:
  GraphBuilder(const GraphParts &parts, const StepShape &shape) : p(parts), shape(shape), T(shape.tokens()) {}

  Result<Step> build(const Device &device);

private:
  Activation matmul(Source &source, const Buffer &weight) {
    Activation out = builder.activation(f32, {source.x.shape[0], weight.shape()[0]});
    product(source, weight, out);
    return out;
  }
  void product(Source &source, const Buffer &weight, const StepBuilder::Operand &out);
  Activation matmul(Source &source, const Buffer &weight, const Buffer &bias) {
    Activation out = matmul(source, weight);
    if (bias)
      builder.launch(p.kernels.extra.bias, {bias, out});
    return out;
  }
  // The RMS norm of every row; the input itself where the model has no such norm.
  Activation norm(const Activation &x, const Buffer &weight) {
    if (!weight)
      return x;
    Activation normed = builder.activation(f32, x.shape);
    builder.launch(p.kernels.norm, {x, weight, normed, eps});
    return normed;
  }
  // Query or key heads, [T, heads, headDim], normalised where the model does so, and turned.
  Activation heads(const Activation &x, int64_t count, const Buffer &headNorm, int64_t layer);
  // Writes the new tokens' keys and values into the layer's cache.
  void append(const AttentionWeights &w, int64_t layer, Source &normed);
  Activation attention(const AttentionWeights &w, int64_t layer, Source &normed);
  Activation feedForward(const FeedForwardWeights &w, Source normed);
  void embed(const Activation &stream);
  // The residual stream plus `added`, normalised.
  Source addNorm(const Activation &added, const Activation &stream, const Buffer &weight) {
    Activation normed = builder.activation(f32, stream.shape);
    builder.launch(p.kernels.addNorm, {added, stream, weight, normed, eps});
    return {normed, {}};
  }
  Status head(const Activation &added, const Activation &stream);
  Status allocate(const Device &device);

  const GraphParts &p;
  StepShape shape;
  int64_t T;
  float eps = float(p.config.normEpsilon);
  StepBuilder builder;
  Step step;
};

void GraphBuilder::product(Source &source, const Buffer &weight, const StepBuilder::Operand &out) {
  int64_t rows = source.x.shape[0], columns = source.x.shape[1];
  const LoadedKernel &kernel = p.kernels.at(rows == 1 ? Width::one : Width::many).matmul.at(weight.dtype());
  if (!isQuantized(weight.dtype()))
    return builder.launch(kernel, {source.x, weight, out});
  int group = info(weight.dtype()).packed->group;
  if (!source.quantized.contains(group)) {
    Source::Quantized q{builder.activation(i8, {rows, columns}), builder.activation(f32, {rows, columns / group}),
                        builder.activation(i32, {rows, columns / group})};
    builder.launch(p.kernels.quantize.at(group), {source.x, q.codes, q.scale, q.sum});
    source.quantized.emplace(group, q);
  }
  const Source::Quantized &q = source.quantized.at(group);
  builder.launch(kernel, {q.codes, q.scale, q.sum, weight, out});
}

Activation GraphBuilder::heads(const Activation &x, int64_t count, const Buffer &headNorm, int64_t layer) {
  const auto &[heads, kvHeads, headDim] = p.config.attention;
  Activation turned = norm(x.as({T * count, headDim}), headNorm).as({T, count, headDim});
  const RopeTables &rope = p.config.windowed(layer) ? p.windowedRope : p.rope;
  builder.launch(count == heads ? p.kernels.ropeQ : p.kernels.ropeK,
                 {turned, step.in.positions.buffer, rope.cos, rope.sin});
  return turned;
}

void GraphBuilder::append(const AttentionWeights &w, int64_t layer, Source &normed) {
  int64_t kvHeads = p.config.attention.kvHeads;
  Activation k = heads(matmul(normed, w.k, w.kBias), kvHeads, w.kNorm, layer);
  Activation v = matmul(normed, w.v, w.vBias).as(k.shape);
  builder.launch(p.kernels.append, {k, v, step.in.slots.buffer, p.pool.keys(layer), p.pool.values(layer)});
}

Activation GraphBuilder::attention(const AttentionWeights &w, int64_t layer, Source &normed) {
  const auto &[heads, kvHeads, headDim] = p.config.attention;
  Activation q = this->heads(matmul(normed, w.q, w.qBias), heads, w.qNorm, layer);
  Shape perSequence = {shape.batch, shape.queries, heads, headDim};
  Activation out = builder.activation(f32, perSequence);
  const WideKernels &kernels = p.kernels.at(shape.queries == 1 ? Width::one : Width::many);
  builder.launch(
      p.config.windowed(layer) ? kernels.windowed : kernels.attention,
      {q.as(perSequence), p.pool.keys(layer), p.pool.values(layer), step.in.table.buffer, step.in.length.buffer, out});
  Source attended{out.as({T, heads * headDim}), {}};
  return norm(matmul(attended, w.o, w.oBias), w.postNorm);
}

Activation GraphBuilder::feedForward(const FeedForwardWeights &w, Source normed) {
  Activation gateUp = matmul(normed, w.gateUp);
  Source hidden{builder.activation(f32, {T, p.config.feedForward}), {}};
  builder.launch(p.kernels.gate, {gateUp, hidden.x});
  return norm(matmul(hidden, w.down), w.postNorm);
}

void GraphBuilder::embed(const Activation &stream) {
  builder.launch(p.kernels.embedding, {p.weights.embedding, step.in.tokens.buffer, stream});
  if (p.config.family->scaledEmbedding)
    builder.launch(p.kernels.extra.scale, {stream, float(std::sqrt(double(p.config.hidden)))});
}

Status GraphBuilder::head(const Activation &added, const Activation &stream) {
  int64_t rows = shape.headRows(), first = T - rows;
  if (first != 0 && shape.batch != 1)
    return internalError("logits of the last tokens of several prompts at once cannot be planned");
  Source normed = addNorm(added.rows(first, rows), stream.rows(first, rows), p.weights.outputNorm);
  product(normed, p.weights.head, step.logits.buffer());
  if (p.config.logitSoftCap > 0)
    builder.launch(p.kernels.extra.softCap, {step.logits.buffer(), float(p.config.logitSoftCap)});
  builder.launch(p.kernels.argMax, {step.logits.buffer(), step.chosen.buffer()});
  return {};
}

Status GraphBuilder::allocate(const Device &device) {
  constexpr int64_t aligned = 16; // elements: kernels move 16 bytes at once where they may, and a cache line is 64
  int64_t slots = (p.context + p.pool.shape().pageSize - 1) / p.pool.shape().pageSize, used = 0;
  struct Part {
    StepInput *input;
    Shape shape;
    int64_t count;
  } parts[] = {{&step.in.tokens, {T}, T},
               {&step.in.positions, {T}, T},
               {&step.in.slots, {T}, T},
               {&step.in.table, {shape.batch, slots}, shape.batch * slots},
               {&step.in.length, {shape.batch}, shape.batch}};
  for (const Part &part : parts)
    used += (part.count + aligned - 1) / aligned * aligned;
  step.in.all = TESSERA_TRY(Mirror::make(device, i32, {used}));
  used = 0;
  for (const Part &part : parts) {
    part.input->buffer = TESSERA_TRY(step.in.all.buffer().view(used * 4, i32, part.shape)).asReadOnly();
    part.input->host = step.in.all.host<int32_t>().subspan(size_t(used), size_t(part.count));
    used += (part.count + aligned - 1) / aligned * aligned;
  }
  step.logits = TESSERA_TRY(Mirror::make(device, f32, {shape.headRows(), p.config.vocab}));
  step.chosen = TESSERA_TRY(Mirror::make(device, i32, {shape.headRows()}));
  return {};
}

Result<Step> GraphBuilder::build(const Device &device) {
  TESSERA_TRY(allocate(device));
  Activation stream = builder.activation(f32, {T, p.config.hidden}); // the residual stream
  embed(stream);
  Source normed{norm(stream, p.weights.layers[0].attention.norm), {}};
  for (int64_t layer = 0; layer < p.config.layers; ++layer) {
    const auto &[attentionWeights, feedForwardWeights] = p.weights.layers[size_t(layer)];
    append(attentionWeights, layer, normed);
    if (shape.head == Head::none && layer + 1 == p.config.layers)
      break; // nothing reads more than the cache
    Activation attended = attention(attentionWeights, layer, normed);
    Activation added = feedForward(feedForwardWeights, addNorm(attended, stream, feedForwardWeights.norm));
    if (layer + 1 < p.config.layers)
      normed = addNorm(added, stream, p.weights.layers[size_t(layer + 1)].attention.norm);
    else
      TESSERA_TRY(head(added, stream));
  }
  step.plan = TESSERA_TRY(builder.finish(device));
  return std::move(step);
}

} // namespace

Status Step::run(const Stream &stream) const {
  if (recorded)
    return recorded->launch(stream);
  TESSERA_TRY(in.all.toDevice(stream));
  TESSERA_TRY(plan.run(stream));
  return chosen.toHost(stream);
}

Status Step::record(const Stream &stream) {
  TESSERA_TRY(stream.beginCapture());
  Status ran = run(stream);
  Result<Graph> graph = stream.endCapture();
  TESSERA_TRY(ran);
  recorded = TESSERA_TRY(std::move(graph));
  return {};
}

Result<Step> buildStep(const Device &device, const GraphParts &parts, const StepShape &shape) {
  return GraphBuilder(parts, shape).build(device);
}

} // namespace tessera::decode
