// Model: a language model loaded on a device, ready to generate; the one door of the decode room.
#pragma once
#include "base/result.h"
#include "runtime/engine.h"
#include "runtime/model/model_file.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tessera::decode {

struct LoadOptions {
  std::string device = "cpu";
  int threads = 0;       // 0 = one a hardware thread
  int64_t pageSize = 16; // tokens a page of the KV cache holds
  int64_t context = 0;   // longest sequence, prompt and output; 0 = the model's own, at most 8192
  int64_t sequences = 1; // most that generateAll() decodes at once
  DType cache = f16;     // what the KV cache holds: f16, or f32, which takes twice the room and rounds nothing
  int64_t kvPages = 0;   // pages of the KV pool; 0 = enough for so many sequences of `context` tokens
  int64_t chunk = 128;   // prompt tokens a prefill step takes; changes no result
  int64_t split = 512;   // positions whose softmax is taken alone, of which longer texts hang in their last bits
  EngineOptions engine;  // cache directory, chooser, progress of compilation
};

// Greedy where temperature is 0; else the softmax of logits / temperature, drawn with a generator seeded by `seed`.
struct Sampling {
  double temperature = 0;
  uint64_t seed = 0;
};

struct GenerateOptions {
  int64_t maxTokens = 128;
  Sampling sampling;
  std::vector<int32_t> stopTokens; // ends a text; not part of the output
  bool logprobs = false;           // fill Generation::logprobs; costs a pass over the vocabulary a token
  std::function<bool(int32_t token)>
      onToken; // called for every token as it is known; false ends its text; may be empty
};

enum class Finish { length, stopToken, context, caller };

struct Generation {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs; // natural log of each token's probability at temperature 1
  Finish finish = Finish::length;
  double firstTokenMs = 0;                            // from the call to the first token
  double prefillTokensPerS = 0, decodeTokensPerS = 0; // of all texts of the call; 0 where no step decoded
  bool modelled = false; // these times are a virtual device's, computed from a model of the chip
};

struct LoadReport {
  double loadMs = 0;    // reading and repacking the weights
  double compileMs = 0; // 0 where every kernel came from a cache
  int64_t kernelsCompiled = 0;
  int64_t weightsBytes = 0, kvBytes = 0, activationBytes = 0;
};

// Peak resident set of this process in bytes; 0 where the system does not say.
int64_t peakRssBytes();

// Movable. One thread at a time. Errors are one sentence that names the file with the key or tensor, or the option.
class Model {
public:
  // Errors: whatever model::ModelFile refuses, an unknown device, options that make no sense, memory.
  static Result<Model> load(const std::string &path, const LoadOptions &options = {});
  Model(Model &&) noexcept;
  Model &operator=(Model &&) noexcept;
  ~Model();

  const model::ModelFile &file() const;
  const model::ModelConfig &config() const;
  const Device &device() const;
  int64_t context() const;
  LoadReport report() const;

  // Continues `prompt` (at least one token). The KV cache holds nothing before and nothing after. Errors: an empty
  // prompt, a token outside the vocabulary, a prompt longer than the context, an exhausted KV pool. Output that reaches
  // the context's end stops there (Finish::context).
  Result<Generation> generate(std::span<const int32_t> prompt, const GenerateOptions &options = {});

  // The same for several prompts: one after the other they are read, then each step decodes one token of every text
  // that has not ended. A text is what generate() alone makes of its prompt, but that the i-th one's draws are seeded
  // with seed + i. The KV pool must hold all of them. An error is of all.
  Result<std::vector<Generation>> generateAll(std::span<const std::vector<int32_t>> prompts,
                                              const GenerateOptions &options = {});

  // The logits after every token, f32 [tokens, vocab]: for tests and comparisons.
  Result<std::vector<float>> logits(std::span<const int32_t> tokens);

private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace tessera::decode
