#include "runtime/decode/graph.h"
#include <optional>

namespace tessera::decode {

namespace {

// The input of matrix products; quantized once, when the first packed weight asks for it.
struct Source {
  Activation x; // f32 [rows, columns]
  struct Quantized {
    Activation codes, scale, sum;
  };
  std::optional<Quantized> quantized;
};

class Graph {
public:
  Graph(const GraphParts &parts, const StepShape &shape) : p(parts), shape(shape), T(shape.tokens()) {}

  Result<Step> build(const Device &device);

private:
  Activation matmul(Source &source, const Buffer &weight) {
    Activation out = builder.activation(f32, {source.x.shape[0], weight.shape()[0]});
    product(source, weight, out);
    return out;
  }
  void product(Source &source, const Buffer &weight, const StepBuilder::Operand &out);
  // Writes the new tokens' keys and values into the layer's cache.
  void append(const LayerWeights &w, int64_t layer, Source &normed);
  Activation attention(const LayerWeights &w, int64_t layer, Source &normed);
  Activation feedForward(const LayerWeights &w, Source normed);
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

void Graph::product(Source &source, const Buffer &weight, const StepBuilder::Operand &out) {
  int64_t rows = source.x.shape[0], columns = source.x.shape[1];
  const LoadedKernel &kernel = p.kernels.at(rows == 1 ? Width::one : Width::many).matmul.at(weight.dtype());
  if (!isPacked(weight.dtype()))
    return builder.launch(kernel, {source.x, weight, out});
  if (!source.quantized) {
    int64_t blocks = columns / info(weight.dtype()).packed->block;
    source.quantized = {builder.activation(i8, {rows, columns}), builder.activation(f32, {rows, blocks}),
                        builder.activation(i32, {rows, blocks})};
    const Source::Quantized &q = *source.quantized;
    builder.launch(p.kernels.quantize, {source.x, q.codes, q.scale, q.sum});
  }
  const Source::Quantized &q = *source.quantized;
  builder.launch(kernel, {q.codes, q.scale, q.sum, weight, out});
}

void Graph::append(const LayerWeights &w, int64_t layer, Source &normed) {
  const auto &[heads, kvHeads, headDim] = p.config.attention;
  Activation k = matmul(normed, w.k).as({T, kvHeads, headDim});
  Activation v = matmul(normed, w.v).as({T, kvHeads, headDim});
  builder.launch(p.kernels.ropeK, {k, step.in.positions, p.rope.cos, p.rope.sin});
  builder.launch(p.kernels.append, {k, v, step.in.slots, p.pool.keys(layer), p.pool.values(layer)});
}

Activation Graph::attention(const LayerWeights &w, int64_t layer, Source &normed) {
  const auto &[heads, kvHeads, headDim] = p.config.attention;
  Activation q = matmul(normed, w.q).as({T, heads, headDim});
  builder.launch(p.kernels.ropeQ, {q, step.in.positions, p.rope.cos, p.rope.sin});
  Shape perSequence = {shape.batch, shape.queries, heads, headDim};
  Activation out = builder.activation(f32, perSequence);
  builder.launch(p.kernels.at(shape.queries == 1 ? Width::one : Width::many).attention,
                 {q.as(perSequence), p.pool.keys(layer), p.pool.values(layer), step.in.table, step.in.length, out});
  Source attended{out.as({T, heads * headDim}), {}};
  return matmul(attended, w.o);
}

Activation Graph::feedForward(const LayerWeights &w, Source normed) {
  Activation gateUp = matmul(normed, w.gateUp);
  Source hidden{builder.activation(f32, {T, p.config.feedForward}), {}};
  builder.launch(p.kernels.gate, {gateUp, hidden.x});
  return matmul(hidden, w.down);
}

Status Graph::head(const Activation &added, const Activation &stream) {
  int64_t rows = shape.headRows(), first = T - rows;
  if (first != 0 && shape.batch != 1)
    return internalError("logits of the last tokens of several prompts at once cannot be planned");
  Source normed = addNorm(added.rows(first, rows), stream.rows(first, rows), p.weights.outputNorm);
  product(normed, p.weights.head, step.logits);
  builder.launch(p.kernels.argMax, {step.logits, step.chosen});
  return {};
}

Status Graph::allocate(const Device &device) {
  int64_t slots = (p.context + p.pool.shape().pageSize - 1) / p.pool.shape().pageSize;
  for (Buffer *perToken : {&step.in.tokens, &step.in.positions, &step.in.slots})
    *perToken = TESSERA_TRY(device.alloc(i32, {T}));
  step.in.table = TESSERA_TRY(device.alloc(i32, {shape.batch, slots}));
  step.in.length = TESSERA_TRY(device.alloc(i32, {shape.batch}));
  step.logits = TESSERA_TRY(device.alloc(f32, {shape.headRows(), p.config.vocab}));
  step.chosen = TESSERA_TRY(device.alloc(i32, {shape.headRows()}));
  return {};
}

Result<Step> Graph::build(const Device &device) {
  TESSERA_TRY(allocate(device));
  Activation stream = builder.activation(f32, {T, p.config.hidden}); // the residual stream
  builder.launch(p.kernels.embedding, {p.weights.embedding, step.in.tokens, stream});
  Source normed{builder.activation(f32, stream.shape), {}};
  builder.launch(p.kernels.norm, {stream, p.weights.layers[0].attentionNorm, normed.x, eps});
  for (int64_t layer = 0; layer < p.config.layers; ++layer) {
    const LayerWeights &w = p.weights.layers[size_t(layer)];
    append(w, layer, normed);
    if (shape.head == Head::none && layer + 1 == p.config.layers)
      break; // nothing reads more than the cache
    Activation attended = attention(w, layer, normed);
    Activation added = feedForward(w, addNorm(attended, stream, w.feedForwardNorm));
    if (layer + 1 < p.config.layers)
      normed = addNorm(added, stream, p.weights.layers[size_t(layer + 1)].attentionNorm);
    else
      TESSERA_TRY(head(added, stream));
  }
  step.plan = TESSERA_TRY(builder.finish(device));
  return std::move(step);
}

} // namespace

Result<Step> buildStep(const Device &device, const GraphParts &parts, const StepShape &shape) {
  return Graph(parts, shape).build(device);
}

} // namespace tessera::decode
