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
  if (options.kvPages < 0)
    return invalidArgument("a KV pool cannot have " + std::to_string(options.kvPages) + " pages");
  if (options.chunk < 1 || options.chunk > 65536)
    return invalidArgument("a prefill step takes 1 to 65536 tokens, not " + std::to_string(options.chunk));
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
  int64_t pages = options.kvPages ? options.kvPages : (context + options.pageSize - 1) / options.pageSize;
  const model::AttentionShape &attention = config.attention;
  // A CPU's lanes are keys side by side; a GPU's threads read a key's 16 bytes each.
  bool keyColumns = device.target().vendor == Vendor::cpu && options.pageSize % ops::lanes(device.target()) == 0;
  KvPool pool = TESSERA_TRY(
      KvPool::make(device, {config.layers, attention.kvHeads, attention.headDim, pages, options.pageSize, keyColumns}));
  Engine engine(device, options.engine);
  Decoder decoder =
      TESSERA_TRY(Decoder::make(engine, config, std::move(planned.weights), std::move(pool), {context, options.chunk}));
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

Result<Generation> Model::generate(std::span<const int32_t> prompt, const GenerateOptions &options) {
  bool modelled = device().impl().isModelled();
  double modelledBefore = state->decoder.modelledMs();
  auto ms = [&, start = Clock::now()] {
    return modelled ? state->decoder.modelledMs() - modelledBefore : msSince(start);
  };
  double temperature = options.sampling.temperature;
  if (!(temperature >= 0) || std::isinf(temperature))
    return invalidArgument("the temperature must be a number of at least 0");
  if (prompt.empty())
    return invalidArgument("the prompt holds no token");
  if (int64_t(prompt.size()) > context())
    return invalidArgument("the prompt of " + std::to_string(prompt.size()) + " tokens is longer than the context of " +
                           std::to_string(context()));
  Sampler sampler(temperature, options.sampling.seed);
  KvSequence sequence = state->decoder.sequence();
  StepResult step = TESSERA_TRY(state->decoder.prefill(sequence, prompt));
  double prefillMs = ms();

  Generation out;
  out.modelled = modelled;
  out.prefillTokensPerS = double(prompt.size()) / prefillMs * 1000;
  while (int64_t(out.tokens.size()) < options.maxTokens) {
    std::span<const float> logits; // kept from the device where nobody asks for them
    if (temperature > 0 || options.logprobs)
      logits = TESSERA_TRY(step.logits());
    int32_t token = temperature > 0 ? sampler.draw(logits) : step.chosen()[0];
    if (out.tokens.empty())
      out.firstTokenMs = ms();
    if (std::ranges::find(options.stopTokens, token) != options.stopTokens.end()) {
      out.finish = Finish::stopToken;
      break;
    }
    out.tokens.push_back(token);
    if (options.logprobs)
      out.logprobs.push_back(float(logProbability(logits, token)));
    if (options.onToken && !options.onToken(token)) {
      out.finish = Finish::caller;
      break;
    }
    if (int64_t(out.tokens.size()) == options.maxTokens)
      break;
    if (sequence.length() == context()) {
      out.finish = Finish::context;
      break;
    }
    KvSequence *one = &sequence;
    step = TESSERA_TRY(state->decoder.decode(std::span(&one, 1), std::span(&token, 1)));
  }
  if (out.tokens.size() > 1)
    out.decodeTokensPerS = double(out.tokens.size() - 1) / (ms() - out.firstTokenMs) * 1000;
  return out;
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
