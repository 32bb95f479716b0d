#include "runtime/decode/model.h"
#include "ops/catalogue.h"
#include "runtime/decode/decoder.h"
#include "runtime/decode/sampler.h"
#include "runtime/resident.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <sys/resource.h>

namespace tessera::decode {

namespace {

constexpr int64_t defaultContext = 8192;

using Clock = std::chrono::steady_clock;
double msSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Status checkOptions(const LoadOptions &options) {
  if (options.pageSize < 1 || options.pageSize > 4096)
    return invalidArgument("a page holds 1 to 4096 tokens, not " + std::to_string(options.pageSize));
  if (options.context < 0)
    return invalidArgument("a context cannot have " + std::to_string(options.context) + " tokens");
  if (options.cache != f16 && options.cache != f32)
    return invalidArgument("a KV cache holds f16 or f32, not " + std::string(name(options.cache)));
  if (options.kvPages < 0)
    return invalidArgument("a KV pool cannot have " + std::to_string(options.kvPages) + " pages");
  if (options.sequences < 1 || options.sequences > 65536)
    return invalidArgument("1 to 65536 sequences are decoded at once, not " + std::to_string(options.sequences));
  if (options.split < 1 || options.split > int64_t(1) << 30)
    return invalidArgument("a softmax is taken of 1 to 2^30 positions, not of " + std::to_string(options.split));
  if (options.chunk < 1 || options.chunk > 65536)
    return invalidArgument("a prefill step takes 1 to 65536 tokens, not " + std::to_string(options.chunk));
  return {};
}

Status checkRequest(std::span<const std::vector<int32_t>> prompts, const GenerateOptions &options, int64_t context) {
  if (!(options.sampling.temperature >= 0) || std::isinf(options.sampling.temperature))
    return invalidArgument("the temperature must be a number of at least 0");
  for (const std::vector<int32_t> &prompt : prompts) {
    if (prompt.empty())
      return invalidArgument("the prompt holds no token");
    if (int64_t(prompt.size()) > context)
      return invalidArgument("the prompt of " + std::to_string(prompt.size()) +
                             " tokens is longer than the context of " + std::to_string(context));
  }
  return {};
}

// One text on its way. Its last token is not in the cache yet.
struct Text {
  KvSequence sequence;
  Sampler sampler;
  Generation out = {};
  bool ended = false;

  void end(Finish why) {
    out.finish = why;
    ended = true;
  }
};

// texts[i] takes the token that row i of a step stands for.
Status take(const StepResult &step, std::span<Text *const> texts, const GenerateOptions &options, int64_t context) {
  bool draws = options.sampling.temperature > 0;
  std::span<const float> logits; // kept from the device where nobody asks for them
  if (draws || options.logprobs)
    logits = TESSERA_TRY(step.logits());
  size_t vocab = logits.size() / texts.size();
  for (size_t i = 0; i < texts.size(); ++i) {
    Text &text = *texts[i];
    if (options.maxTokens < 1) {
      text.end(Finish::length);
      continue;
    }
    std::span<const float> row = logits.subspan(i * vocab, vocab);
    int32_t token = draws ? text.sampler.draw(row) : step.chosen()[i];
    if (std::ranges::find(options.stopTokens, token) != options.stopTokens.end()) {
      text.end(Finish::stopToken);
      continue;
    }
    text.out.tokens.push_back(token);
    if (options.logprobs)
      text.out.logprobs.push_back(float(logProbability(row, token)));
    if (options.onToken && !options.onToken(token))
      text.end(Finish::caller);
    else if (int64_t(text.out.tokens.size()) >= options.maxTokens)
      text.end(Finish::length);
    else if (text.sequence.length() == context)
      text.end(Finish::context);
  }
  return {};
}

} // namespace

int64_t peakRssBytes() {
  rusage use;
  return getrusage(RUSAGE_SELF, &use) == 0 ? int64_t(use.ru_maxrss) * 1024 : 0;
}

struct Model::State {
  model::ModelFile file;
  Engine engine;
  Decoder decoder;
  LoadReport report;
};

Model::Model(std::unique_ptr<State> state) : state(std::move(state)) {}
Model::Model(Model &&) noexcept = default;
Model &Model::operator=(Model &&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::load(const std::string &path, const LoadOptions &options) {
  auto start = Clock::now();
  TESSERA_TRY(checkOptions(options));
  model::ModelFile file = TESSERA_TRY(model::ModelFile::open(path));
  const model::ModelConfig &config = file.config();
  if (options.context > config.context)
    return invalidArgument(file.tensors().about("the model was trained for " + std::to_string(config.context) +
                                                " tokens of context, not " + std::to_string(options.context)));
  int64_t context = options.context ? options.context : std::min(config.context, defaultContext);
  Device device = TESSERA_TRY(Device::open(options.device, {.threads = options.threads}));
  PlannedWeights planned = TESSERA_TRY(planWeights(file.tensors(), config, device));
  int64_t pages =
      options.kvPages ? options.kvPages : options.sequences * ((context + options.pageSize - 1) / options.pageSize);
  const model::AttentionShape &attention = config.attention;
  // A CPU's lanes are keys side by side; a GPU's threads read a key's 16 bytes each.
  bool keyColumns = device.target().vendor == Vendor::cpu && options.pageSize % ops::lanes(device.target()) == 0;
  KvPool pool = TESSERA_TRY(KvPool::make(device, {config.layers, attention.kvHeads, attention.headDim, pages,
                                                  options.pageSize, keyColumns, options.cache}));
  Engine engine(device, options.engine);
  Decoder decoder = TESSERA_TRY(Decoder::make(
      engine, config, std::move(planned.weights), std::move(pool),
      {.context = context, .chunk = options.chunk, .split = options.split, .sequences = options.sequences}));
  releaseLibraryPages(); // the compiler has done its work, and the weights want the room
  TESSERA_TRY(planned.fill());
  EngineStats stats = engine.stats();
  LoadReport report;
  report.compileMs = stats.compileMs;
  report.kernelsCompiled = stats.compiled;
  report.loadMs = msSince(start) - stats.compileMs;
  report.weightsBytes = decoder.tensors().bytes();
  report.kvBytes = decoder.cache().bytes();
  return Model(std::make_unique<State>(State{file, engine, std::move(decoder), report}));
}

const model::ModelFile &Model::file() const { return state->file; }
const model::ModelConfig &Model::config() const { return state->file.config(); }
const Device &Model::device() const { return state->engine.device(); }
int64_t Model::context() const { return state->decoder.options().context; }

LoadReport Model::report() const {
  LoadReport report = state->report;
  report.activationBytes = state->decoder.arenaBytes();
  return report;
}

Result<std::vector<Generation>> Model::generateAll(std::span<const std::vector<int32_t>> prompts,
                                                   const GenerateOptions &options) {
  TESSERA_TRY(checkRequest(prompts, options, context()));
  bool modelled = device().impl().isModelled();
  double modelledBefore = state->decoder.modelledMs();
  auto ms = [&, start = Clock::now()] {
    return modelled ? state->decoder.modelledMs() - modelledBefore : msSince(start);
  };
  std::vector<Text> texts;
  texts.reserve(prompts.size()); // steps point to them
  double prefillMs = 0, prefilled = 0;
  for (const std::vector<int32_t> &prompt : prompts) {
    uint64_t seed = options.sampling.seed + texts.size();
    Text *text = &texts.emplace_back(state->decoder.sequence(), Sampler(options.sampling.temperature, seed));
    StepResult step = TESSERA_TRY(state->decoder.prefill(text->sequence, prompt));
    prefillMs = ms();
    prefilled += double(prompt.size());
    TESSERA_TRY(take(step, std::span(&text, 1), options, context()));
    text->out.firstTokenMs = ms();
  }
  double firstMs = ms(), decoded = 0;
  std::vector<Text *> going;
  std::vector<KvSequence *> sequences;
  std::vector<int32_t> tokens;
  while (true) {
    going.clear(), sequences.clear(), tokens.clear();
    for (Text &text : texts)
      if (!text.ended) {
        going.push_back(&text);
        sequences.push_back(&text.sequence);
        tokens.push_back(text.out.tokens.back());
      }
    if (going.empty())
      break;
    StepResult step = TESSERA_TRY(state->decoder.decode(sequences, tokens));
    TESSERA_TRY(take(step, going, options, context()));
    decoded += double(going.size());
  }
  double decodeMs = ms() - firstMs;
  std::vector<Generation> out;
  for (Text &text : texts) {
    text.out.modelled = modelled;
    text.out.prefillTokensPerS = prefilled / prefillMs * 1000;
    text.out.decodeTokensPerS = decoded > 0 ? decoded / decodeMs * 1000 : 0;
    out.push_back(std::move(text.out));
  }
  return out;
}

Result<Generation> Model::generate(std::span<const int32_t> prompt, const GenerateOptions &options) {
  std::vector<int32_t> only(prompt.begin(), prompt.end());
  return std::move(TESSERA_TRY(generateAll(std::span(&only, 1), options)).front());
}

Result<std::vector<float>> Model::logits(std::span<const int32_t> tokens) {
  std::vector<float> all;
  KvSequence sequence = state->decoder.sequence();
  while (!tokens.empty()) {
    auto now = tokens.first(std::min(tokens.size(), size_t(state->decoder.options().chunk)));
    StepResult step = TESSERA_TRY(state->decoder.extend(sequence, now, Head::all));
    std::span<const float> logits = TESSERA_TRY(step.logits());
    all.insert(all.end(), logits.begin(), logits.end());
    tokens = tokens.subspan(now.size());
  }
  return all;
}

} // namespace tessera::decode
