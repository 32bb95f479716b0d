#include "cli/command.h"
#include "cli/console.h"
#include "cli/read_bandwidth.h"
#include "ops/all.h"
#include "runtime/decode/model.h"
#include <algorithm>
#include <map>
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  std::string model;
  int64_t promptTokens = 16, generatedTokens = 128;
  std::vector<int64_t> batches = {1}; // sequences decoded at once
  std::vector<std::string> schedules; // "OP:field=number,..."
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

// Token ids spread over the vocabulary, others for each sequence: what they say does not matter, only how many there
// are.
std::vector<std::vector<int32_t>> somePrompts(int64_t sequences, int64_t count, int64_t vocab) {
  std::vector<std::vector<int32_t>> prompts{size_t(sequences)};
  for (size_t s = 0; s < prompts.size(); ++s)
    for (int64_t i = 0; i < count; ++i)
      prompts[s].push_back(int32_t((10 + int64_t(s) * 31 + i * 7919) % vocab));
  return prompts;
}

// What decoding one token reads at least: its share of a step's weights, each read once (of an embedding that is not
// also the head, one row, which is nothing), and the keys and values of a sequence of `length` tokens in f16.
double bytesPerToken(const decode::Model &model, int64_t batch, double length) {
  const model::ModelConfig &config = model.config();
  double bytes = double(model.report().weightsBytes);
  if (!config.tiedHead)
    bytes -= double(model.file().tensors().find("token_embd.weight")->bytes.size());
  return bytes / double(batch) +
         length * double(config.layers * config.attention.kvHeads * config.attention.headDim * 2 * 2);
}

struct Speeds {
  std::vector<double> prefill, decode;
  bool interrupted = false;
};

Result<Speeds> measure(const Options &options, decode::Model &model, int64_t batch) {
  Speeds speeds;
  InterruptGuard guard;
  Progress progress(batch == 1 ? "measuring" : "measuring " + std::to_string(batch) + " sequences");
  std::vector<std::vector<int32_t>> prompts = somePrompts(batch, options.promptTokens, model.config().vocab);
  decode::GenerateOptions generate;
  // The prompt's own step gives the first token; each of the rest is one decoding step.
  generate.maxTokens = options.generatedTokens + 1;
  generate.onToken = [&](int32_t) { return !guard.interrupted(); };
  // The first round builds plans and warms the caches up.
  for (int round = 0; round <= options.repeats; ++round) {
    decode::Generation generation = TESSERA_TRY(model.generateAll(prompts, generate)).front(); // its speeds are all's
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

// What --schedule says, by op.
Result<Chooser> chooserOf(const Options &options) {
  std::map<std::string, std::string, std::less<>> configs;
  for (const std::string &text : options.schedules) {
    size_t colon = std::min(text.find(':'), text.size());
    const ops::OpInfo *op = TESSERA_TRY(ops::findOp(text.substr(0, colon)));
    if (colon == text.size())
      return invalidArgument("--schedule '" + text + "': want OP:field=number,...");
    configs[std::string(op->name)] = text.substr(colon + 1);
  }
  return Chooser([configs](std::string_view op, std::span<const Shape>, const Target &) {
    auto found = configs.find(op);
    return found == configs.end() ? std::string() : found->second;
  });
}

// One line of the report.
struct Row {
  int64_t batch;
  size_t repeats;
  Spread prefill, decode; // tokens a second of all sequences together
  double bytes = 0, percent = 0;
};

// `bandwidth` is that of this machine's memory; 0 where the device has its own, of which that is not known.
Row rowOf(const Options &options, const decode::Model &model, const Speeds &speeds, int64_t batch, double bandwidth) {
  Row row{batch, speeds.decode.size(), spreadOf(speeds.prefill), spreadOf(speeds.decode)};
  row.bytes = bytesPerToken(model, batch, double(options.promptTokens) + double(options.generatedTokens) / 2);
  row.percent = bandwidth > 0 ? 100 * row.bytes * row.decode.median / bandwidth : 0;
  return row;
}

Json toJson(const Row &row, double bandwidth) {
  Json json = {{"batch", row.batch},
               {"prefill_tokens_per_s", toJson(row.prefill)},
               {"decode_tokens_per_s", toJson(row.decode)},
               {"bytes_per_token", row.bytes},
               {"repeats", row.repeats}};
  if (bandwidth > 0) {
    json["read_bandwidth_gb_s"] = bandwidth / 1e9;
    json["percent_of_bandwidth"] = row.percent;
  }
  return json;
}

void printRow(const Row &row, const decode::Model &model, double bandwidth) {
  print((row.batch == 1 ? "" : std::to_string(row.batch) + " sequences: ") + "prefill " + number(row.prefill.median) +
        " tokens/s, decode " + number(row.decode.median) + " tokens/s (" + number(row.decode.min) + " to " +
        number(row.decode.max) + ")" + (model.device().impl().isModelled() ? ", modelled" : "") + ", " +
        bytesText(row.bytes) + " a token" +
        (bandwidth > 0 ? ": " + number(row.percent) + " % of the " + bytesText(bandwidth) + "/s that " +
                             std::to_string(model.device().threads()) + " threads read\n"
                       : "\n"));
  (void)flushOutput(); // a row at once, also in a pipe
}

// The first batch's figures, and a row for each batch where there are several.
Json toJson(const Options &options, const decode::Model &model, const std::vector<Row> &rows, double bandwidth) {
  Json json = {{"model", options.model},
               {"device", options.load.device},
               {"kind", model.device().impl().isModelled() ? "modelled" : "measured"},
               {"threads", model.device().threads()},
               {"prompt_tokens", options.promptTokens},
               {"gen_tokens", options.generatedTokens}};
  json.update(toJson(rows.front(), bandwidth));
  if (options.batches.size() > 1)
    for (const Row &row : rows)
      json["batches"].push_back(toJson(row, bandwidth));
  return json;
}

Status benchDecode(const Options &options) {
  Progress progress("compiling kernels");
  decode::LoadOptions load = options.load;
  int64_t most = std::ranges::max(options.batches), length = options.promptTokens + options.generatedTokens;
  load.sequences = most;
  if (most > 1) // each as long as the bench makes it, not as the context
    load.kvPages = most * ((length + load.pageSize - 1) / load.pageSize);
  load.engine.chooser = TESSERA_TRY(chooserOf(options));
  load.engine.onProgress = [&](const CompileProgress &state) { progress.update(state.name, state.done, state.total); };
  decode::Model model = TESSERA_TRY(decode::Model::load(options.model, load));
  progress.finish();
  // How near it comes to what the memory gives is known where the memory is this machine's.
  double bandwidth =
      model.device().impl().hostVisible() ? readBandwidth(model.device().threads(), model.report().weightsBytes) : 0;
  std::vector<Row> rows;
  for (int64_t batch : options.batches) {
    Speeds speeds = TESSERA_TRY(measure(options, model, batch));
    if (!speeds.decode.empty()) {
      rows.push_back(rowOf(options, model, speeds, batch, bandwidth));
      if (!options.json)
        printRow(rows.back(), model, bandwidth);
    }
    if (!speeds.interrupted)
      continue;
    if (options.json && !rows.empty())
      printJson(toJson(options, model, rows, bandwidth));
    return ioError("interrupted after " + std::to_string(speeds.decode.size()) + " of " +
                   std::to_string(options.repeats) + " measurements" +
                   (most > 1 ? " of " + std::to_string(batch) + " sequences" : ""));
  }
  if (options.json)
    printJson(toJson(options, model, rows, bandwidth));
  return {};
}
} // namespace

void addBenchDecode(CLI::App &bench, Run &run) {
  CLI::App *command = bench.add_subcommand("decode", "Tokens per second of a model, prompt and generation apart.");
  command->footer(
      "Example: tessera bench decode --model SmolLM2-135M-Instruct.Q4_1.gguf --threads 2 --batch 1,8 --json");
  auto options = std::make_shared<Options>();
  CLI::Range positive(int64_t(1), int64_t(1) << 20);
  command->add_option("--model", options->model, "A GGUF file")->required();
  command->add_option("--prompt-tokens", options->promptTokens, "Tokens of the prompt")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--gen-tokens", options->generatedTokens, "Tokens decoded after the first")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--batch", options->batches, "Sequences decoded at once; several numbers are measured in turn")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(1024)))
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
  command->add_option("--schedule", options->schedules,
                      "OP:field=number,... for the kernels of an op in place of its own choice; may be repeated");
  command->add_option("--split", options->load.split, "Positions whose softmax is taken alone")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return benchDecode(*options); }; });
}

} // namespace tessera::cli
