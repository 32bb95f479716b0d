// Decoder: runs steps of a model over paged sequences: prompts in chunks, then one token a sequence and step.
#pragma once
#include "runtime/decode/graph.h"
#include <map>
#include <memory>
#include <span>

namespace tessera::decode {

struct DecoderOptions {
  int64_t context; // longest sequence
  int64_t chunk;   // most tokens of a prefill step; changes no result
  // Positions whose softmax is taken alone. It decides how sums round, so it is one number for all models and lengths.
  int64_t split = 512;
  int64_t sequences = 1; // most that are decoded at once; more work too, but slower
};

// What a step computed, one row a token that logits were wanted for. Valid until the next step.
class StepResult {
public:
  StepResult(const Step &step, const Stream &stream) : step(&step), stream(stream) {}
  std::span<const int32_t> chosen() const { return step->chosen.host<int32_t>(); } // [rows]: the greedy choice
  // [rows, vocab]; brought from the device when they are asked for.
  Result<std::span<const float>> logits() const;

private:
  const Step *step;
  Stream stream;
};

// Plans are built at the first step of their shape and kept. The logits of a token have the same bits whatever the
// chunks, batch, pages and threads that computed them. One thread at a time.
class Decoder {
public:
  static Result<Decoder> make(const Engine &engine, const model::ModelConfig &config, Weights weights, KvPool pool,
                              const DecoderOptions &options);

  KvSequence sequence() const { return pool.sequence(); }
  const KvPool &cache() const { return pool; }
  const Weights &tensors() const { return weights; }
  const DecoderOptions &options() const { return limits; }
  int64_t arenaBytes() const; // of the plans there are now
  // What all steps so far took on a device whose times are modelled; 0 on others.
  double modelledMs() const { return deviceMs; }

  // Appends at most `chunk` tokens to one sequence. Errors leave the sequence as it was: no tokens or too many, a token
  // outside the vocabulary, the context's end, an exhausted pool.
  Result<StepResult> extend(KvSequence &sequence, std::span<const int32_t> tokens, Head head);
  // Appends a whole prompt, chunk by chunk; the result is the last token's.
  Result<StepResult> prefill(KvSequence &sequence, std::span<const int32_t> tokens);
  // Appends one token to each sequence; no sequence twice.
  Result<StepResult> decode(std::span<KvSequence *const> sequences, std::span<const int32_t> tokens);

private:
  Decoder(Engine engine, model::ModelConfig config, Weights weights, KvPool pool, DecoderOptions options)
      : engine(std::move(engine)), config(std::move(config)), weights(std::move(weights)), pool(std::move(pool)),
        limits(options) {}
  Result<Step *> stepFor(const StepShape &shape);
  // Parts for attention over so many positions: 0 while they are few, else a power of two, so that plans are few.
  int64_t splitsFor(int64_t length) const;
  Result<StepResult> run(const StepShape &shape, std::span<KvSequence *const> sequences,
                         std::span<const int32_t> tokens);
  Status runStep(const Step &step);
  Status check(std::span<KvSequence *const> sequences, std::span<const int32_t> tokens, int64_t queries) const;
  // Grows the sequences and writes the step's inputs.
  Status fill(Step &step, const StepShape &shape, std::span<KvSequence *const> sequences,
              std::span<const int32_t> tokens);

  Engine engine;
  model::ModelConfig config;
  Weights weights;
  KvPool pool;
  DecoderOptions limits;
  std::optional<Kernels> kernels;
  RopeTables rope, windowedRope;
  std::optional<Stream> stream;
  std::map<StepShape, std::unique_ptr<Step>> steps;
  double deviceMs = 0;
};

} // namespace tessera::decode
