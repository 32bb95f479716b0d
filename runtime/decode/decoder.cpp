#include "runtime/decode/decoder.h"
#include <algorithm>
#include <bit>

namespace tessera::decode {

Result<std::span<const float>> StepResult::logits() const {
  TESSERA_TRY(step->logits.toHost(stream));
  TESSERA_TRY(stream.synchronize());
  return std::span<const float>(step->logits.host<float>());
}

// Prompts end in chunks of any length, each with a plan of its own; old ones go when there are this many.
static constexpr size_t maxPlans = 16;

static ops::RopeScaling scalingOf(const model::RopeScaling &scaling, const std::vector<float> &divisors) {
  using From = model::RopeScaling::Kind;
  using To = ops::RopeScaling::Kind;
  static const std::map<From, To> kinds = {{From::none, To::none},
                                           {From::linear, To::linear},
                                           {From::llama3, To::llama3},
                                           {From::yarn, To::yarn},
                                           {From::longrope, To::longRope}};
  ops::RopeScaling out;
  out.kind = kinds.at(scaling.kind);
  out.factor = scaling.factor;
  out.original = scaling.originalContext;
  out.lowFactor = out.betaSlow = scaling.low;
  out.highFactor = out.betaFast = scaling.high;
  out.attentionFactor = scaling.magnitude;
  out.factors = out.kind == To::longRope ? scaling.shortFactors : divisors;
  out.longFactors = scaling.longFactors;
  return out;
}

Result<Decoder> Decoder::make(const Engine &engine, const model::ModelConfig &config, Weights weights, KvPool pool,
                              const DecoderOptions &options) {
  if (options.context < 1 || options.chunk < 1)
    return invalidArgument("a decoder takes a context and a chunk of at least one token");
  Decoder decoder(engine, config, std::move(weights), std::move(pool), options);
  decoder.kernels = TESSERA_TRY(buildKernels(
      engine, config, decoder.weights, {decoder.pool.shape(), {options.split, options.context}, options.sequences}));
  auto rope = [&](double base, const ops::RopeScaling &scaling) {
    return ropeTables(engine.device(), ops::ropeFrequencies(config.rope.rotaryDim, base, scaling, options.context),
                      options.context);
  };
  decoder.rope = TESSERA_TRY(rope(config.rope.base, scalingOf(config.scaling, decoder.weights.ropeDivisors)));
  decoder.windowedRope = decoder.rope;
  if (config.rule.ropeBase != 0)
    decoder.windowedRope = TESSERA_TRY(rope(config.rule.ropeBase, {}));
  decoder.stream = TESSERA_TRY(engine.device().stream());
  (void)TESSERA_TRY(decoder.stepFor({1, 1, Head::last})); // the first token shall not wait for it
  return decoder;
}

int64_t Decoder::arenaBytes() const {
  int64_t most = 0;
  for (const auto &[shape, step] : steps)
    most = std::max(most, step->plan.arenaBytes());
  return most;
}

int64_t Decoder::splitsFor(int64_t length) const {
  if (length > limits.context || length <= 2 * limits.split)
    return 0;
  return int64_t(std::bit_ceil(uint64_t((length + limits.split - 1) / limits.split)));
}

Result<Step *> Decoder::stepFor(const StepShape &shape) {
  if (auto found = steps.find(shape); found != steps.end())
    return found->second.get();
  if (steps.size() >= maxPlans)
    std::erase_if(steps, [](const auto &entry) { return entry.first.queries > 1; });
  GraphParts parts = {config, weights, *kernels, rope, windowedRope, pool, limits.context};
  auto step = std::make_unique<Step>(TESSERA_TRY(buildStep(engine.device(), parts, shape)));
  if (shape.queries == 1) // a plan that every token uses again
    TESSERA_TRY(step->record(*stream));
  return (steps[shape] = std::move(step)).get();
}

Status Decoder::check(std::span<KvSequence *const> sequences, std::span<const int32_t> tokens, int64_t queries) const {
  for (int32_t token : tokens)
    if (token < 0 || token >= config.vocab)
      return invalidArgument("token " + std::to_string(token) + " is not in the vocabulary of " +
                             std::to_string(config.vocab) + " tokens");
  for (const KvSequence *sequence : sequences)
    if (sequence->length() + queries > limits.context)
      return invalidArgument("a sequence of " + std::to_string(sequence->length() + queries) +
                             " tokens is longer than the context of " + std::to_string(limits.context));
  return {};
}

Status Decoder::fill(Step &step, const StepShape &shape, std::span<KvSequence *const> sequences,
                     std::span<const int32_t> tokens) {
  size_t width = size_t(step.in.table.buffer.shape()[1]);
  std::ranges::fill(step.in.table.host, 0);
  std::ranges::copy(tokens, step.in.tokens.host.begin());
  for (size_t b = 0; b < sequences.size(); ++b) {
    KvSequence &sequence = *sequences[b];
    size_t first = b * size_t(shape.queries);
    for (int64_t i = 0; i < shape.queries; ++i)
      step.in.positions.host[first + size_t(i)] = int32_t(sequence.length() + i);
    TESSERA_TRY(sequence.append(shape.queries, step.in.slots.host.subspan(first, size_t(shape.queries))));
    step.in.length.host[b] = int32_t(sequence.length());
    std::ranges::copy(sequence.pages(), step.in.table.host.begin() + ptrdiff_t(b * width));
  }
  return {};
}

// Runs the step to its end; between two events where the device's own clock is the only true one.
Status Decoder::runStep(const Step &step) {
  driver::Driver &device = stream->device();
  if (!device.isModelled()) {
    TESSERA_TRY(step.run(*stream));
    return stream->synchronize();
  }
  auto mark = [&]() -> Result<std::shared_ptr<driver::EventObject>> {
    driver::Event event = TESSERA_TRY(device.record(stream->handle()));
    return std::shared_ptr<driver::EventObject>(event, [&device](driver::Event e) { device.destroy(e); });
  };
  auto from = TESSERA_TRY(mark());
  TESSERA_TRY(step.run(*stream));
  auto to = TESSERA_TRY(mark());
  TESSERA_TRY(stream->synchronize());
  deviceMs += TESSERA_TRY(device.elapsedMs(from.get(), to.get()));
  return {};
}

Result<StepResult> Decoder::run(const StepShape &shape, std::span<KvSequence *const> sequences,
                                std::span<const int32_t> tokens) {
  TESSERA_TRY(check(sequences, tokens, shape.queries));
  Step &step = *TESSERA_TRY(stepFor(shape));
  std::vector<int64_t> before;
  for (const KvSequence *sequence : sequences)
    before.push_back(sequence->length());
  Status done = fill(step, shape, sequences, tokens);
  if (done)
    done = runStep(step);
  if (!done) {
    for (size_t i = 0; i < sequences.size(); ++i)
      sequences[i]->truncate(before[i]);
    return std::move(done.error());
  }
  return StepResult(step, *stream);
}

Result<StepResult> Decoder::extend(KvSequence &sequence, std::span<const int32_t> tokens, Head head) {
  if (tokens.empty() || int64_t(tokens.size()) > limits.chunk)
    return invalidArgument("a prefill step takes 1 to " + std::to_string(limits.chunk) + " tokens, not " +
                           std::to_string(tokens.size()));
  KvSequence *one = &sequence;
  return run({1, int64_t(tokens.size()), head}, std::span(&one, 1), tokens);
}

Result<StepResult> Decoder::prefill(KvSequence &sequence, std::span<const int32_t> tokens) {
  int64_t before = sequence.length();
  for (size_t chunk = size_t(limits.chunk); tokens.size() > chunk; tokens = tokens.subspan(chunk))
    if (auto step = extend(sequence, tokens.first(chunk), Head::none); !step) {
      sequence.truncate(before);
      return std::move(step.error());
    }
  auto last = extend(sequence, tokens, Head::last);
  if (!last)
    sequence.truncate(before);
  return last;
}

Result<StepResult> Decoder::decode(std::span<KvSequence *const> sequences, std::span<const int32_t> tokens) {
  if (sequences.empty() || sequences.size() != tokens.size())
    return invalidArgument("a decode step takes one token for each of at least one sequence");
  int64_t longest = 0;
  for (const KvSequence *sequence : sequences)
    longest = std::max(longest, sequence->length() + 1);
  return run({int64_t(sequences.size()), 1, Head::last, splitsFor(longest)}, sequences, tokens);
}

} // namespace tessera::decode
