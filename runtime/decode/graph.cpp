#include "runtime/decode/graph.h"
#include <cmath>
#include <map>
#include <optional>

namespace tessera::decode {

namespace {

// The input of matrix products: f32, or 8-bit codes in the groups that weights ask for, or both. Whoever makes it
// leaves codes where it can; else the first such weight has them made.
struct Source {
  int64_t rows, columns;
  std::optional<Activation> x; // f32 [rows, columns]
  struct Quantized {
    Activation codes, scale, sum;
  };
  std::map<int, Quantized> quantized; // by the values that share a scale

  static Source of(const Activation &x) { return {x.shape[0], x.shape[1], x, {}}; }
};

using Operands = std::vector<StepBuilder::Operand>;

class GraphBuilder {
public:
  GraphBuilder(const GraphParts &parts, const StepShape &shape) : p(parts), shape(shape), T(shape.tokens()) {}

  Result<Step> build(const Device &device);

private:
  // A source that is still to be written, with the operands that take it: f32 where group is 0.
  Source source(int64_t rows, int64_t columns, int group, Operands &outputs);
  Source::Quantized codes(int64_t rows, int64_t columns, int group);
  // The launch of a product: the left-hand side, the weight, and what follows.
  void product(const MatmulKey &key, Source &source, const Buffer &weight, const Operands &rest);
  Activation matmul(Source &source, const Buffer &weight, const Buffer &bias = {}) {
    Activation out = builder.activation(f32, {source.rows, weight.shape()[0]});
    product({.weight = weight.dtype(), .bias = bool(bias)}, source, weight, bias ? Operands{bias, out} : Operands{out});
    return out;
  }
  // The RMS norm of every row; the input itself where the model has no such norm.
  Activation norm(const Activation &x, const Buffer &weight) {
    if (!weight)
      return x;
    Activation normed = builder.activation(f32, x.shape);
    builder.launch(p.kernels.norm.at(0), {x, weight, normed, eps});
    return normed;
  }
  // The norm of the residual stream, to which `added` goes first if it is given, for weights that want `group`.
  Source normed(const std::optional<Activation> &added, const Activation &stream, const Buffer &weight, int group);
  // The heads of the new tokens' queries; their keys and values go into the layer's cache.
  Activation queries(const AttentionWeights &w, int64_t layer, Source &normed);
  Activation attention(const AttentionWeights &w, int64_t layer, const Activation &queries);
  Activation feedForward(const FeedForwardWeights &w, Source normed);
  void embed(const Activation &stream);
  Status head(const Activation &added, const Activation &stream);
  void choose();
  Status allocate(const Device &device);

  const GraphParts &p;
  StepShape shape;
  int64_t T;
  float eps = float(p.config.normEpsilon);
  StepBuilder builder;
  Step step;
};

Source::Quantized GraphBuilder::codes(int64_t rows, int64_t columns, int group) {
  return {builder.activation(i8, {rows, columns}), builder.activation(f32, {rows, columns / group}),
          builder.activation(i32, {rows, columns / group})};
}

Source GraphBuilder::source(int64_t rows, int64_t columns, int group, Operands &outputs) {
  Source made{rows, columns, {}, {}};
  if (group) {
    const Source::Quantized &q = made.quantized.emplace(group, codes(rows, columns, group)).first->second;
    outputs.insert(outputs.end(), {q.codes, q.scale, q.sum});
  } else {
    outputs.push_back(*(made.x = builder.activation(f32, {rows, columns})));
  }
  return made;
}

void GraphBuilder::product(const MatmulKey &key, Source &source, const Buffer &weight, const Operands &rest) {
  Operands operands;
  if (int group = groupOf(key.weight)) {
    if (!source.quantized.contains(group)) {
      const Source::Quantized &q =
          source.quantized.emplace(group, codes(source.rows, source.columns, group)).first->second;
      builder.launch(p.kernels.quantize.at(group), {*source.x, q.codes, q.scale, q.sum});
    }
    const Source::Quantized &q = source.quantized.at(group);
    operands = {q.codes, q.scale, q.sum};
  } else {
    operands = {*source.x};
  }
  operands.push_back(weight);
  operands.insert(operands.end(), rest.begin(), rest.end());
  builder.launch(p.kernels.matmul.at(key, source.rows), std::move(operands));
}

Source GraphBuilder::normed(const std::optional<Activation> &added, const Activation &stream, const Buffer &weight,
                            int group) {
  Operands operands;
  if (added)
    operands.push_back(*added);
  operands.insert(operands.end(), {stream, weight});
  Source made = source(stream.shape[0], stream.shape[1], group, operands);
  operands.push_back(eps);
  builder.launch(added ? p.kernels.addNorm.at(group) : p.kernels.norm.at(group), std::move(operands));
  return made;
}

Activation GraphBuilder::queries(const AttentionWeights &w, int64_t layer, Source &normed) {
  const auto &[heads, kvHeads, headDim] = p.config.attention;
  int64_t all = (heads + 2 * kvHeads) * headDim, row = 0;
  Activation joined = builder.activation(f32, {T, all});
  std::vector<MatmulKey> keys = qkvProducts(w);
  for (size_t i = 0; i < keys.size(); ++i) {
    int64_t rows = w.qkv[i].shape()[0];
    Operands rest;
    if (keys[i].bias)
      rest.push_back(builder.rows(w.qkvBias, row, rows));
    rest.push_back(joined);
    if (keys[i].slice)
      rest.push_back(row);
    product(keys[i], normed, w.qkv[i], rest);
    row += rows;
  }
  Activation q = builder.activation(f32, {T, heads, headDim});
  const RopeTables &rope = p.config.windowed(layer) ? p.windowedRope : p.rope;
  Operands operands = {joined.as({T, heads + 2 * kvHeads, headDim}), step.in.slots.buffer, step.in.positions.buffer,
                       rope.cos, rope.sin};
  if (w.qNorm)
    operands.insert(operands.end(), {w.qNorm, w.kNorm, eps});
  operands.insert(operands.end(), {q, p.pool.keys(layer), p.pool.values(layer)});
  builder.launch(p.kernels.ropeAppend, std::move(operands));
  return q;
}

Activation GraphBuilder::attention(const AttentionWeights &w, int64_t layer, const Activation &queries) {
  const auto &[heads, kvHeads, headDim] = p.config.attention;
  auto perSequence = [&](const Activation &x) { return x.as({shape.batch, shape.queries, heads, x.shape[1] / heads}); };
  AttentionKey key = attentionOf(w, p.config, layer);
  Operands outputs;
  Source attended = source(T, heads * headDim, key.group, outputs);
  Operands operands = {queries.as({shape.batch, shape.queries, heads, headDim}), p.pool.keys(layer),
                       p.pool.values(layer), step.in.table.buffer, step.in.length.buffer};
  for (StepBuilder::Operand &output : outputs)
    output = perSequence(std::get<Activation>(output));
  auto kernel = [&](const AttentionKey &which) { return p.kernels.attention.at(which, shape.queries); };
  if (shape.splits && !key.windowed) {
    Shape parts = {shape.batch, shape.queries, heads, shape.splits, headDim}, perPart = parts;
    perPart.back() = 2;
    Activation acc = builder.activation(f32, parts), stats = builder.activation(f32, perPart);
    operands.insert(operands.end(), {acc, stats});
    builder.launch(kernel({.group = key.group, .partial = true}), std::move(operands));
    operands = {acc, stats, step.in.length.buffer};
    operands.insert(operands.end(), outputs.begin(), outputs.end());
    builder.launch(p.kernels.merge.at(key.group), std::move(operands));
  } else {
    operands.insert(operands.end(), outputs.begin(), outputs.end());
    builder.launch(kernel(key), std::move(operands));
  }
  return norm(matmul(attended, w.o, w.oBias), w.postNorm);
}

Activation GraphBuilder::feedForward(const FeedForwardWeights &w, Source normed) {
  Operands operands = {matmul(normed, w.gateUp)};
  int group = groupOf(w.down.dtype());
  Source hidden = source(T, p.config.feedForward, group, operands);
  builder.launch(p.kernels.gate.at(group), std::move(operands));
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
  const Buffer &weight = p.weights.head;
  Source last =
      normed(added.rows(first, rows), stream.rows(first, rows), p.weights.outputNorm, groupOf(weight.dtype()));
  product({.weight = weight.dtype()}, last, weight, {step.logits.buffer()});
  if (p.config.logitSoftCap > 0)
    builder.launch(p.kernels.extra.softCap, {step.logits.buffer(), float(p.config.logitSoftCap)});
  choose();
  return {};
}

void GraphBuilder::choose() {
  const ChoiceKernels &choice = p.kernels.choice;
  int64_t rows = shape.headRows(), parts = (p.config.vocab + choice.columns - 1) / choice.columns;
  if (parts == 1)
    return builder.launch(choice.find, {step.logits.buffer(), step.chosen.buffer()});
  Activation best = builder.activation(f32, {rows, parts}), place = builder.activation(i32, {rows, parts});
  builder.launch(choice.find, {step.logits.buffer(), best, place});
  builder.launch(choice.merge, {best, place, step.chosen.buffer()});
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
  auto beforeLayer = [&](int64_t layer, const std::optional<Activation> &added) {
    const AttentionWeights &w = p.weights.layers[size_t(layer)].attention;
    return normed(added, stream, w.norm, groupOf(w.qkv));
  };
  Source next = beforeLayer(0, {});
  for (int64_t layer = 0; layer < p.config.layers; ++layer) {
    const auto &[a, f] = p.weights.layers[size_t(layer)];
    Activation q = queries(a, layer, next);
    if (shape.head == Head::none && layer + 1 == p.config.layers)
      break; // nothing reads more than the cache
    Activation attended = attention(a, layer, q);
    Activation added = feedForward(f, normed(attended, stream, f.norm, groupOf(f.gateUp.dtype())));
    if (layer + 1 < p.config.layers)
      next = beforeLayer(layer + 1, added);
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
