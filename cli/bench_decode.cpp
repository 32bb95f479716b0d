#include "cli/command.h"
#include "cli/console.h"
#include "cli/read_bandwidth.h"
#include "runtime/decode/model.h"
#include <algorithm>
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  std::string model;
  int64_t promptTokens = 16, generatedTokens = 128;
  int repeats = 5;
  bool json = false;
  decode::LoadOptions load;
};

struct Spread {
  double median = 0, min = 0, max = 0;
};

Spread spreadOf(std::vector<double> values) {
  if (values.empty())
    return {};
  std::ranges::sort(values);
  size_t half = values.size() / 2;
  double median = values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

Json toJson(const Spread &spread) { return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}; }

// Token ids spread over the vocabulary: what they say does not matter, only how many there are.
std::vector<int32_t> somePrompt(int64_t count, int64_t vocab) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(int32_t((10 + i * 7919) % vocab));
  return tokens;
}

// What decoding one token reads at least: each weight once (of an embedding that is not also the head, one row, which
// is nothing), and the keys and values of a sequence of `length` tokens in f16.
double bytesPerToken(const decode::Model &model, double length) {
  const model::ModelConfig &config = model.config();
  double bytes = double(model.report().weightsBytes);
  if (!config.tiedHead)
    bytes -= double(model.file().tensors().find("token_embd.weight")->bytes.size());
  return bytes + length * double(config.layers * config.attention.kvHeads * config.attention.headDim * 2 * 2);
}

struct Speeds {
  std::vector<double> prefill, decode;
  bool interrupted = false;
};

Result<Speeds> measure(const Options &options, decode::Model &model) {
  Speeds speeds;
  InterruptGuard guard;
  Progress progress("measuring");
  std::vector<int32_t> prompt = somePrompt(options.promptTokens, model.config().vocab);
  decode::GenerateOptions generate;
  // The prompt's own step gives the first token; each of the rest is one decoding step.
  generate.maxTokens = options.generatedTokens + 1;
  generate.onToken = [&](int32_t) { return !guard.interrupted(); };
  // The first round builds plans and warms the caches up.
  for (int round = 0; round <= options.repeats; ++round) {
    decode::Generation generation = TESSERA_TRY(model.generate(prompt, generate));
    if (guard.interrupted()) {
      speeds.interrupted = true;
      break;
    }
    if (generation.finish == decode::Finish::context)
      return invalidArgument("--prompt-tokens and --gen-tokens together exceed the context of " +
                             std::to_string(model.context()) + " tokens");
    if (round == 0)
      continue;
    speeds.prefill.push_back(generation.prefillTokensPerS);
    speeds.decode.push_back(generation.decodeTokensPerS);
    progress.update(number(generation.decodeTokensPerS) + " tokens/s", round, options.repeats);
  }
  return speeds;
}

Status benchDecode(const Options &options) {
  Progress progress("compiling kernels");
  decode::LoadOptions load = options.load;
  load.engine.onProgress = [&](const CompileProgress &state) { progress.update(state.name, state.done, state.total); };
  decode::Model model = TESSERA_TRY(decode::Model::load(options.model, load));
  progress.finish();
  Speeds speeds = TESSERA_TRY(measure(options, model));
  if (speeds.decode.empty())
    return ioError("interrupted before the first measurement");

  int threads = model.device().threads();
  Spread prefill = spreadOf(speeds.prefill), decode = spreadOf(speeds.decode);
  double bytes = bytesPerToken(model, double(options.promptTokens) + double(options.generatedTokens) / 2);
  // How near it comes to what the memory gives is known where the memory is this machine's.
  bool host = model.device().impl().hostVisible(), modelled = model.device().impl().isModelled();
  double bandwidth = host ? readBandwidth(threads) : 0;
  double percent = host ? 100 * bytes * decode.median / bandwidth : 0;
  if (options.json) {
    Json json = {{"model", options.model},
                 {"device", options.load.device},
                 {"kind", modelled ? "modelled" : "measured"},
                 {"threads", threads},
                 {"prompt_tokens", options.promptTokens},
                 {"gen_tokens", options.generatedTokens},
                 {"prefill_tokens_per_s", toJson(prefill)},
                 {"decode_tokens_per_s", toJson(decode)},
                 {"bytes_per_token", bytes},
                 {"repeats", speeds.decode.size()}};
    if (host) {
      json["read_bandwidth_gb_s"] = bandwidth / 1e9;
      json["percent_of_bandwidth"] = percent;
    }
    printJson(json);
  } else {
    print("prefill " + number(prefill.median) + " tokens/s, decode " + number(decode.median) + " tokens/s (" +
          number(decode.min) + " to " + number(decode.max) + ")" + (modelled ? ", modelled" : "") + ", " +
          bytesText(bytes) + " a token" +
          (host ? ": " + number(percent) + " % of the " + bytesText(bandwidth) + "/s that " + std::to_string(threads) +
                      " threads read\n"
                : "\n"));
  }
  if (speeds.interrupted)
    return ioError("interrupted after " + std::to_string(speeds.decode.size()) + " of " +
                   std::to_string(options.repeats) + " measurements");
  return {};
}
} // namespace

void addBenchDecode(CLI::App &bench, Run &run) {
  CLI::App *command = bench.add_subcommand("decode", "Tokens per second of a model, prompt and generation apart.");
  command->footer("Example: tessera bench decode --model SmolLM2-135M-Instruct.Q4_1.gguf --threads 2 --json");
  auto options = std::make_shared<Options>();
  CLI::Range positive(int64_t(1), int64_t(1) << 20);
  command->add_option("--model", options->model, "A GGUF file")->required();
  command->add_option("--prompt-tokens", options->promptTokens, "Tokens of the prompt")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--gen-tokens", options->generatedTokens, "Tokens decoded after the first")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--repeats", options->repeats, "Measurements, after one to warm up")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_option("--device", options->load.device, "See tessera devices")->capture_default_str();
  command->add_option("--threads", options->load.threads, "CPU threads; 0 is one a hardware thread")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--page-size", options->load.pageSize, "Tokens a page of the KV cache")
      ->check(positive)
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return benchDecode(*options); }; });
}

} // namespace tessera::cli
